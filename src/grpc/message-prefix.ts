/** Octets before each message: a flag, and four of its length (gRPC over HTTP/2, "Length-Prefixed-Message"). */
export const MESSAGE_PREFIX = 5;
