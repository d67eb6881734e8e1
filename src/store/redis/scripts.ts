import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { RedisClient } from './connect.ts';
import { OneWrite } from './one-write.ts';

/** What a script answers: Lua numbers lose their fraction, `false` is null. */
export type RedisReply = number | string | null | readonly RedisReply[];
/** The same with octets instead of text. */
export type BinaryReply = number | Buffer | null | readonly BinaryReply[];
export type ScriptArgument = string | number | Uint8Array;

/** An atomic operation: one Lua file, whose header says what its KEYS and ARGV are. */
export interface ScriptFile {
  /** The file without `.lua`. */
  readonly name: string;
  readonly text: string;
  readonly sha1: string;
}

/** Scripts by name. */
export type ScriptFiles = ReadonlyMap<string, ScriptFile>;

/** Reads every `*.lua` of a folder; by default those that lie beside this file. */
export function loadScripts(folder: string = import.meta.dirname): ScriptFiles {
  const files = readdirSync(folder).filter((file) => file.endsWith('.lua'));
  return new Map(
    files.map((file) => {
      const text = readFileSync(join(folder, file), 'utf8');
      const name = basename(file, '.lua');
      return [name, { name, text, sha1: createHash('sha1').update(text).digest('hex') }];
    }),
  );
}

/** Runs scripts on a connection: by their hash, and with their text where the server does not know them (yet, or any more). */
export class Scripts {
  readonly #client: RedisClient;
  readonly #files: ScriptFiles;
  readonly #oneWrite: OneWrite;

  constructor(client: RedisClient, files: ScriptFiles) {
    this.#client = client;
    this.#oneWrite = new OneWrite(client);
    this.#files = files;
  }

  /**
   * @param keys with their prefix (`connection.key`), all with one hash tag
   * @throws Redis' error replies, and the connection's errors
   */
  async run(name: string, keys: readonly string[], args: readonly ScriptArgument[]): Promise<RedisReply> {
    const { sha1, text } = this.#file(name);
    const rest = [keys.length, ...keys, ...args.map(toArgument)] as const;
    this.#oneWrite.begin();
    try {
      return toReply(await this.#client.call('EVALSHA', [sha1, ...rest]));
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return toReply(await this.#client.call('EVAL', [text, ...rest]));
    }
  }

  /** The same, for what is not text. */
  async runBinary(name: string, keys: readonly string[], args: readonly ScriptArgument[]): Promise<BinaryReply> {
    const { sha1, text } = this.#file(name);
    const rest = [keys.length, ...keys, ...args.map(toArgument)] as const;
    try {
      return toBinaryReply(await this.#client.callBuffer('EVALSHA', [sha1, ...rest]));
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return toBinaryReply(await this.#client.callBuffer('EVAL', [text, ...rest]));
    }
  }

  #file(name: string): ScriptFile {
    const file = this.#files.get(name);
    if (file === undefined) throw new Error(`there is no script ${name}`);
    return file;
  }
}

/** A server that was restarted, failed over or flushed has forgotten its scripts. */
function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

function toArgument(argument: ScriptArgument): string | Buffer {
  if (argument instanceof Uint8Array) return Buffer.from(argument.buffer, argument.byteOffset, argument.byteLength);
  return typeof argument === 'number' ? String(argument) : argument;
}

function toReply(value: unknown): RedisReply {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value;
  if (Array.isArray(value)) return value.map(toReply);
  throw new TypeError(`a script answered ${typeof value}`);
}

function toBinaryReply(value: unknown): BinaryReply {
  if (value === null || value instanceof Buffer || typeof value === 'number') return value;
  if (Array.isArray(value)) return value.map(toBinaryReply);
  throw new TypeError(`a script answered ${typeof value}`);
}
