import { CODES, codeName } from '../../grpc/status.ts';
import { repeatedAttribute, repeatedAttributes, repeatedName, SpanKind } from './encode-span.ts';

/** The names and attributes that spans of calls have, each a way to encode its values. */
export type SpanAttributes = ReturnType<typeof createSpanAttributes>;

/** By OpenTelemetry's semantic conventions for RPC, HTTP and databases, and our own. */
export function createSpanAttributes() {
  return {
    server: repeatedName(SpanKind.SERVER),
    client: repeatedName(SpanKind.CLIENT),
    internal: repeatedName(SpanKind.INTERNAL),
    /** By status, what says the method and how it ended. */
    rpc: Array.from({ length: CODES }, (_, status) =>
      repeatedAttributes((method: string) => ({
        'rpc.system.name': 'grpc',
        'rpc.method': method,
        'rpc.response.status_code': codeName(status),
      })),
    ),
    peerAddress: repeatedAttribute<string>('network.peer.address'),
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
