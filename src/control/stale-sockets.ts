import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';

/** A folder this young may belong to a gateway that is just starting, and does not listen yet. */
const MIN_AGE_MS = 60_000;
/** At most so many are looked at: a start must not take long because others died often. */
const MAX_FOLDERS = 200;

/**
 * Removes what gateways that were killed have left behind: folders of control sockets at which nobody listens.
 *
 * @param parent where the folders are
 * @param prefix of their names
 * @param socket the socket's name in them
 * @param now Unix milliseconds
 */
export async function removeStaleSockets(parent: string, prefix: string, socket: string, now: number): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  const folders = names.filter((name) => name.startsWith(prefix)).slice(0, MAX_FOLDERS);
  await Promise.all(folders.map((name) => removeIfStale(join(parent, name), socket, now)));
}

async function removeIfStale(folder: string, socket: string, now: number): Promise<void> {
  try {
    if (now - (await stat(folder)).mtimeMs < MIN_AGE_MS) return;
    if (!(await isRefused(join(folder, socket)))) return;
    await rm(join(folder, socket));
    await rmdir(folder);
  } catch {
    // Somebody else's, or gone meanwhile: not ours to care for.
  }
}

/** The socket is there, and nobody listens. */
function isRefused(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect({ path });
    probe.once('connect', () => {
      probe.destroy();
      resolve(false);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}
