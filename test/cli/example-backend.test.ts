import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { startExampleBackend } from '../../src/cli/example-backend.ts';

test('starts on a free port, and stops', async () => {
  const backend = await startExampleBackend({ host: '127.0.0.1', port: 0 });
  expect(backend.port).toBeGreaterThan(0);
  await backend.stop();
});

test('a port in use is told with a way out', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const address = other.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  await expect(startExampleBackend({ host: '127.0.0.1', port })).rejects.toThrow(
    `the example backend cannot listen: 127.0.0.1:${port} is in use by another program, perhaps another \`npm start\`.\n` +
      'Stop that one, or take other ports: npm start -- --port 8400',
  );
  await new Promise((resolve) => other.close(resolve));
});
