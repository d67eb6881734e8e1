import { Indexing, NameTable } from '../http2/index.ts';

/** What the gateway does with a header name. One number per treatment, so that a block is sorted by one switch per field. */
export const Kind = {
  /** Metadata: forwarded as it is. */
  OTHER: 0,
  METHOD: 1,
  SCHEME: 2,
  AUTHORITY: 3,
  PATH: 4,
  STATUS: 5,
  CONTENT_TYPE: 6,
  TE: 7,
  AUTHORIZATION: 8,
  API_KEY: 9,
  TIMEOUT: 10,
  REQUEST_ID: 11,
  /** Names that only the gateway may set: dropped, whoever sends them. */
  RESERVED: 12,
  /** RFC 9110 section 7.6.1: meant for one hop. */
  HOP_BY_HOP: 13,
  GRPC_STATUS: 14,
  GRPC_MESSAGE: 15,
  PUSHBACK: 16,
  PREVIOUS_ATTEMPTS: 17,
  TRACEPARENT: 18,
  TRACESTATE: 19,
  BAGGAGE: 20,
  /** What HTTP/1.1 has for `:authority`. */
  HOST: 21,
} as const;

/**
 * Names that belong to the gateway, in every spelling that a backend might take for them: behind CGI, WSGI and their like `_`
 * and `-` are one, and a library may show `-bin` metadata under its plain name.
 */
const RESERVED = /^x[-_](?:tollgate(?:[-_]|$)|(?:tenant|principal|request)[-_]id(?:[-_]bin)?$)/;
const X = 'x'.charCodeAt(0);

/** Whether a name that is not in the table belongs to the gateway: a client's is dropped. */
export function isReserved(name: string): boolean {
  return name.charCodeAt(0) === X && RESERVED.test(name);
}

/** What clients of one kind send alike, whoever they are. */
const SHARED = [
  ':authority',
  'accept-encoding',
  'content-length',
  'content-type',
  'grpc-accept-encoding',
  'grpc-encoding',
  'te',
  'user-agent',
];

/** The names the data plane looks for, and those whose values change with each call (never indexed: ENGINE notes the cost). */
export const HEADER_NAMES = new NameTable(
  [
    [':method', Kind.METHOD],
    [':scheme', Kind.SCHEME],
    [':authority', Kind.AUTHORITY],
    [':path', Kind.PATH],
    [':status', Kind.STATUS],
    ['content-type', Kind.CONTENT_TYPE],
    ['te', Kind.TE],
    ['authorization', Kind.AUTHORIZATION, Indexing.NEVER],
    ['x-api-key', Kind.API_KEY, Indexing.NEVER],
    ['grpc-timeout', Kind.TIMEOUT, Indexing.SKIP],
    ['x-request-id', Kind.REQUEST_ID, Indexing.SKIP],
    ['x-tenant-id', Kind.RESERVED, Indexing.SKIP],
    ['x-principal-id', Kind.RESERVED, Indexing.SKIP],
    ['connection', Kind.HOP_BY_HOP],
    ['keep-alive', Kind.HOP_BY_HOP],
    ['proxy-connection', Kind.HOP_BY_HOP],
    ['proxy-authenticate', Kind.HOP_BY_HOP],
    ['proxy-authorization', Kind.HOP_BY_HOP, Indexing.NEVER],
    ['proxy-authentication-info', Kind.HOP_BY_HOP],
    ['transfer-encoding', Kind.HOP_BY_HOP],
    ['upgrade', Kind.HOP_BY_HOP],
    ['host', Kind.HOST],
    ['grpc-status', Kind.GRPC_STATUS],
    ['grpc-message', Kind.GRPC_MESSAGE, Indexing.SKIP],
    ['grpc-status-details-bin', Kind.OTHER, Indexing.SKIP],
    ['grpc-retry-pushback-ms', Kind.PUSHBACK, Indexing.SKIP],
    ['grpc-previous-rpc-attempts', Kind.PREVIOUS_ATTEMPTS, Indexing.SKIP],
    ['grpc-trace-bin', Kind.OTHER, Indexing.SKIP],
    ['grpc-tags-bin', Kind.OTHER, Indexing.SKIP],
    ['traceparent', Kind.TRACEPARENT, Indexing.SKIP],
    ['tracestate', Kind.TRACESTATE, Indexing.SKIP],
    ['baggage', Kind.BAGGAGE, Indexing.SKIP],
    ['content-length', Kind.OTHER, Indexing.SKIP],
    ['date', Kind.OTHER, Indexing.SKIP],
  ],
  SHARED,
);
