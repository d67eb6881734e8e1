import { cpSync, globSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

// Part of `npm run build`: the compiler leaves Lua where it is, and the compiled code looks for it beside itself.

const root = fileURLToPath(new URL('..', import.meta.url));
for (const file of globSync('src/**/*.lua', { cwd: root })) {
  const to = join(root, 'dist', file);
  mkdirSync(dirname(to), { recursive: true });
  cpSync(join(root, file), to);
}
