import { repeatedAttribute, singleAttribute } from './encode-span.ts';

/** The attributes that spans of calls have, each a way to encode its values. */
export type SpanAttributes = ReturnType<typeof createSpanAttributes>;

/** By OpenTelemetry's semantic conventions for RPC, HTTP and databases, and our own. */
export function createSpanAttributes() {
  return {
    system: repeatedAttribute<string>('rpc.system.name'),
    method: repeatedAttribute<string>('rpc.method'),
    status: repeatedAttribute<string>('rpc.response.status_code'),
    peerAddress: repeatedAttribute<string>('network.peer.address'),
    requestId: singleAttribute('tollgate.request_id'),
    listener: repeatedAttribute<string>('tollgate.listener'),
    tenant: repeatedAttribute<string>('tollgate.tenant'),
    keyId: repeatedAttribute<string>('tollgate.key_id'),
    reason: repeatedAttribute<string>('tollgate.reason'),
    cancelled: repeatedAttribute<boolean>('tollgate.cancelled'),
    attempts: repeatedAttribute<number>('tollgate.attempts'),
    serverAddress: repeatedAttribute<string>('server.address'),
    serverPort: repeatedAttribute<number>('server.port'),
    backend: repeatedAttribute<string>('tollgate.backend'),
    attempt: repeatedAttribute<number>('tollgate.attempt'),
    notProcessed: repeatedAttribute<boolean>('tollgate.not_processed'),
    database: repeatedAttribute<string>('db.system.name'),
    httpMethod: repeatedAttribute<string>('http.request.method'),
    url: repeatedAttribute<string>('url.full'),
  };
}
