import { stat } from 'node:fs/promises';

/** What tells that a file is another one than before; empty when there is none. */
export type Fingerprint = (path: string) => Promise<string>;

/** Size, times and inode: a rename over the file changes the last, a link that is set anew (as Kubernetes does) all. */
export async function fingerprintOf(path: string): Promise<string> {
  try {
    const { ino, size, mtimeMs, ctimeMs } = await stat(path);
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch {
    return '';
  }
}

export interface FileWatchOptions {
  readonly paths: readonly string[];
  readonly intervalMs: number;
  readonly fingerprint: Fingerprint;
  /** At least one of them is another one. Told once for each change, also when the new state is no good. */
  onChange(): void;
}

/**
 * Looks at files again and again. Polling: notifications of the system miss files behind links and on network file systems,
 * and a certificate may be some seconds late. One timer, that keeps no process alive; never two looks at once.
 */
export class FileWatch {
  readonly #options: FileWatchOptions;
  #known: string | undefined = undefined;
  #looking: Promise<void> | undefined = undefined;
  readonly #timer: NodeJS.Timeout;

  constructor(options: FileWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), options.intervalMs).unref();
    void this.look();
  }

  /** Looks now. Never rejects. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    const { paths, fingerprint, onChange } = this.#options;
    const now = (await Promise.all(paths.map(fingerprint))).join('\n');
    const before = this.#known;
    this.#known = now;
    if (before !== undefined && before !== now) onChange();
  }
}
