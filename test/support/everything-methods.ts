import { fileURLToPath } from 'node:url';
import type { CallKind } from '../../src/contracts/method-entry.ts';

/** The contract of the tests' own backend: test/support/proto/everything/v1/everything.proto. */
export const EVERYTHING = 'everything.v1.EverythingService';

/** The folder to name in a contract's `protos`. */
export const EVERYTHING_PROTOS = fileURLToPath(new URL('./proto', import.meta.url));

export const EVERYTHING_METHODS = {
  Unary: 'unary',
  ServerStream: 'server_stream',
  ClientStream: 'client_stream',
  BidiStream: 'bidi_stream',
  Scoped: 'unary',
  Costly: 'unary',
  Limited: 'unary',
  Brief: 'unary',
  Open: 'unary',
} as const satisfies Record<string, CallKind>;
export type EverythingMethod = keyof typeof EVERYTHING_METHODS;

/** The method that stands for a call kind. */
export const METHOD_OF_KIND = {
  unary: 'Unary',
  server_stream: 'ServerStream',
  client_stream: 'ClientStream',
  bidi_stream: 'BidiStream',
} as const satisfies Record<CallKind, EverythingMethod>;

/** `:path` of a method. */
export const everythingPath = (method: EverythingMethod): string => `/${EVERYTHING}/${method}`;
