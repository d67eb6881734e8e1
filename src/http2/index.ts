/**
 * An HTTP/2 engine (RFC 9113, RFC 7541) over `node:net` and `node:tls`: a listener, a client with a pool of connections,
 * and streams that hand over frames without objects, promises or copies that a proxy does not need.
 */

// They live as long as anybody uses the engine.
import './hpack/specimens.ts';

export { sourceOf } from './census.ts';
export { Client, type ClientOptions } from './client.ts';
export type { ClientTls, Target } from './connector.ts';
export { ErrorCode } from './error-code.ts';
export { type ExtraField, Field, Indexing, NameTable, WrittenField } from './field.ts';
export { FLOOD_KINDS, type FloodKind } from './flood.ts';
export { Flusher } from './flusher.ts';
export { HeaderBlock } from './header-block.ts';
export { codeUnitAt } from './hpack/latin1.ts';
export { type Http1Answer, type Http1Request, MAX_PIECE, PLAIN_TEXT } from './http1.ts';
export { DEFAULT_LIMITS, type Limits } from './limits.ts';
export { Listener, type ListenerOptions, MAX_CONNECTIONS, MAX_CONNECTIONS_OF_SOURCE } from './listener.ts';
export type { OpenConnection, StreamCounts } from './open-connection.ts';
export { type PeerIdentity, parseSubjectAltName } from './peer-identity.ts';
export { type LocalSettings, SERVER_SETTINGS } from './settings.ts';
export { Specimen } from './specimen.ts';
export type { ConnectionInfo, Stream, StreamHandler } from './stream.ts';
export { ResetCause } from './stream.ts';
