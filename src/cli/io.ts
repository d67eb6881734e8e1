import { ExitCode } from './exit-codes.ts';

/** What a command may touch of the outside: injected, so that commands run in tests without a process of their own. */
export interface Io {
  readonly stdout: TextSink;
  readonly stderr: TextSink;
  /** Standard output is a terminal that may be sent colours (https://no-color.org). */
  readonly colours: boolean;
  /** Asks the user something and gives the answer; undefined where nobody sits at a terminal. */
  readonly ask: ((question: string) => Promise<string>) | undefined;
  /** Everything that comes on standard input. */
  readInput(): Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where relative paths given by the user start. */
  readonly cwd: string;
  /** Unix milliseconds. */
  now(): number;
  /** Calls back on every SIGINT and SIGTERM. @returns unsubscribe */
  onStopSignal(listener: () => void): () => void;
  /** Calls back on every SIGHUP, which otherwise ends the process. @returns unsubscribe */
  onReloadSignal(listener: () => void): () => void;
  readonly memory: {
    /** Octets of this process that are resident. */
    rss(): number;
    /** Octets that the container may have; 0 or undefined when there is no such limit. */
    constrained(): number | undefined;
  };
  /** The terminal that a person sits at; undefined when there is none. */
  readonly terminal?: Terminal | undefined;
  /** Ends the process at once. */
  exit(code: number): void;
}

/** A terminal, for views that are drawn anew. */
export interface Terminal {
  size(): { readonly columns: number; readonly rows: number };
  /** Calls back on every key, as it is pressed; the terminal shows none meanwhile. @returns unsubscribe */
  onKey(listener: (key: string) => void): () => void;
}

export interface TextSink {
  write(text: string): void;
}

/** An error that is told to the user in one message and without a stack; the process ends with `exitCode`. */
export class CliError extends Error {
  readonly exitCode: ExitCode;

  /** @param message what happened and what to do next; may have several lines; empty when all is said */
  constructor(message: string, exitCode: ExitCode = ExitCode.FAILED) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
  }
}
