/**
 * An HTTP/2 engine (RFC 9113, RFC 7541) over `node:net` and `node:tls`: a listener, a client with a pool of connections,
 * and streams that hand over frames without objects, promises or copies that a proxy does not need.
 */

export { Client, type ClientOptions } from './client.ts';
export type { ClientTls, Target } from './connector.ts';
export { ErrorCode } from './error-code.ts';
export { Field, Indexing, NameTable } from './field.ts';
export { HeaderBlock } from './header-block.ts';
export type { Limits } from './limits.ts';
export { Listener, type ListenerOptions } from './listener.ts';
export type { LocalSettings } from './settings.ts';
export type { ConnectionInfo, Stream, StreamHandler } from './stream.ts';
export { ResetCause } from './stream.ts';
