const GRPC = 'application/grpc';

/**
 * Whether a `content-type` says gRPC: `application/grpc`, optionally with a message format (`+proto`, `+json`, one's own) and
 * parameters. gRPC-Web (`application/grpc-web`) is another protocol. Media types compare without case (RFC 9110 section 8.3.1).
 */
export function isGrpcContentType(value: string | undefined): boolean {
  if (value === undefined || value.length < GRPC.length) return false;
  if (value === GRPC) return true;
  if (!value.startsWith(GRPC) && value.slice(0, GRPC.length).toLowerCase() !== GRPC) return false;
  if (value.length === GRPC.length) return true;
  const next = value.charCodeAt(GRPC.length);
  return next === 0x2b || next === 0x3b || next === 0x20 || next === 0x09; // + ; or white space before ;
}

/** The message format that a gRPC content type names, lower case (`proto` when it names none); undefined when it is not gRPC. */
export function messageFormat(value: string | undefined): string | undefined {
  if (value === undefined || !isGrpcContentType(value)) return undefined;
  const end = value.indexOf(';');
  const type = end < 0 ? value : value.slice(0, end);
  const format = type.slice(GRPC.length).trim().toLowerCase();
  return format.length > 1 && format.startsWith('+') ? format.slice(1) : 'proto';
}
