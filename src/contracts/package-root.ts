import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The path of a file or folder that ships with the package (`proto`, `generated/tollgate.binpb`). Unbuilt sources and
 * the compiled package lie at different depths, so it is looked for upwards of `from`.
 *
 * @throws Error when the package is incomplete.
 */
export function packagePath(relative: string, from: string = import.meta.dirname): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const path = join(folder, relative);
    if (existsSync(path) && existsSync(join(folder, 'package.json'))) return path;
    if (dirname(folder) === folder) throw new Error(`the tollgate package is incomplete: ${relative} is missing`);
  }
}
