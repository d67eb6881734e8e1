import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ConfigSource, Path } from './source.ts';

/** What the checks work with. */
export interface CheckContext {
  readonly source: ConfigSource;
  readonly files: FileCheck;
}

/** Looks whether the files are there that a configuration names. */
export interface FileCheck {
  /** Complains at `path` when `file` (relative to the configuration) is not there, or is of the other kind. Empty is skipped. */
  check(path: Path, file: string, kind?: 'file' | 'folder'): void;
  /** The text of a file; complains, and gives undefined, when it cannot be read. Empty is skipped. */
  read(path: Path, file: string): string | undefined;
  /** Likewise, for one that is no text. */
  readOctets(path: Path, file: string): Buffer | undefined;
}

/** The real file system. */
export function createFileCheck(source: ConfigSource, baseDir: string): FileCheck {
  return {
    read(path, file) {
      return this.readOctets(path, file)?.toString('utf8');
    },
    readOctets(path, file) {
      this.check(path, file);
      if (file === '' || source.isFaulty(path)) return undefined;
      try {
        return readFileSync(resolve(baseDir, file));
      } catch (error) {
        source.complain(path, `"${file}" cannot be read`, error instanceof Error ? error.message : undefined);
        return undefined;
      }
    },
    check(path, file, kind = 'file') {
      if (file === '') return;
      const absolute = resolve(baseDir, file);
      const stat = statSync(absolute, { throwIfNoEntry: false });
      if (stat === undefined) {
        source.complain(path, `the ${kind} "${file}" is not there`, `relative paths start at ${baseDir}`);
      } else if (stat.isDirectory() !== (kind === 'folder')) {
        source.complain(path, `"${file}" is a ${kind === 'folder' ? 'file' : 'folder'}, a ${kind} is expected`);
      }
    },
  };
}
