import { CODES, codeName } from '../../grpc/status.ts';
import {
  type AttributeValue,
  repeatedAttribute,
  repeatedAttributes,
  repeatedName,
  SpanKind,
  TextAttribute,
} from './encode-span.ts';

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
    peerAddress: new TextAttribute('network.peer.address'),
    listener: repeatedAttribute<string>('tollgate.listener'),
    tenant: new TextAttribute('tollgate.tenant'),
    keyId: new TextAttribute('tollgate.key_id'),
    reason: repeatedAttribute<string>('tollgate.reason'),
    cancelled: repeatedAttribute<boolean>('tollgate.cancelled'),
    attempts: repeatedAttribute<number>('tollgate.attempts'),
    endpoint: repeatedAttributes(serverOf),
    backend: repeatedAttribute<string>('tollgate.backend'),
    attempt: repeatedAttribute<number>('tollgate.attempt'),
    notProcessed: repeatedAttribute<boolean>('tollgate.not_processed'),
    database: repeatedAttribute<string>('db.system.name'),
    httpMethod: repeatedAttribute<string>('http.request.method'),
    url: repeatedAttribute<string>('url.full'),
  };
}

/** @param endpoint `host:port`, or of a socket in the file system `unix:path` */
function serverOf(endpoint: string): Record<string, AttributeValue> {
  const colon = endpoint.startsWith('unix:') ? -1 : endpoint.lastIndexOf(':');
  if (colon < 0) return { 'server.address': endpoint };
  return { 'server.address': endpoint.slice(0, colon), 'server.port': Number(endpoint.slice(colon + 1)) };
}
