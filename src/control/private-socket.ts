import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { removeStaleSockets } from './stale-sockets.ts';

/** `sun_path` holds 104 bytes on macOS, 108 on Linux, with the final NUL. */
const MAX_PATH_BYTES = 103;
const FOLDER_PREFIX = 'tollgate-control-';
const SOCKET = 'control.sock';

export interface PrivateSocket {
  readonly path: string;
  /** Removes the socket and its folder. */
  remove(): Promise<void>;
}

/**
 * A path for a Unix socket that only this user can reach: in a fresh folder of mode 0700 (mkdtemp(3)). What gateways that were
 * killed left beside it is removed.
 *
 * @param folders where it may be made, the first that is writable and short enough
 * @throws when there is none
 */
export async function createPrivateSocket(folders: readonly string[]): Promise<PrivateSocket> {
  let cause: unknown;
  for (const parent of folders) {
    if (Buffer.byteLength(join(parent, `${FOLDER_PREFIX}XXXXXX`, SOCKET)) > MAX_PATH_BYTES) continue;
    try {
      const folder = await mkdtemp(join(parent, FOLDER_PREFIX));
      await removeStaleSockets(parent, FOLDER_PREFIX, SOCKET, Date.now());
      return { path: join(folder, SOCKET), remove: () => rm(folder, { recursive: true, force: true }) };
    } catch (error) {
      cause = error;
    }
  }
  throw new Error(`no folder for the control socket: none of ${folders.join(', ')} is writable and short enough`, {
    cause,
  });
}
