/**
 * The peer's header block cannot be decoded. The state shared with the peer is lost with it, so it is always a connection
 * error of type COMPRESSION_ERROR (RFC 9113 section 4.3).
 */
export class HpackError extends Error {
  override readonly name = 'HpackError';
}
