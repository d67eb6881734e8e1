const encoder = new TextEncoder();
const decoder = new TextDecoder();
const HEX = '0123456789ABCDEF';

/** Nothing but printable ASCII without `%`: the common case, which both directions leave as it is. */
const PLAIN = /^[ -$&-~]*$/;

/**
 * Percent-encodes text for `grpc-message` (gRPC over HTTP/2, "Responses"): UTF-8, octets outside of space to `~`, and `%`
 * itself, become `%XX`.
 */
export function encodeMessage(text: string): string {
  if (PLAIN.test(text)) return text;
  let encoded = '';
  for (const octet of encoder.encode(text)) {
    if (octet >= 0x20 && octet <= 0x7e && octet !== 0x25) encoded += String.fromCharCode(octet);
    else encoded += `%${HEX[octet >> 4]}${HEX[octet & 15]}`;
  }
  return encoded;
}

/**
 * Decodes the value of `grpc-message`. Never fails: the specification forbids to throw the message away, so what is no valid
 * encoding stays as it is, and octets that are no UTF-8 become U+FFFD.
 * @param value octets as latin1 code units
 */
export function decodeMessage(value: string): string {
  if (PLAIN.test(value)) return value;
  const octets = new Uint8Array(value.length);
  let length = 0;
  for (let i = 0; i < value.length; i++) {
    const code = value.charCodeAt(i);
    if (code === 0x25) {
      const octet = hexPair(value, i + 1);
      if (octet >= 0) {
        octets[length++] = octet;
        i += 2;
        continue;
      }
    }
    octets[length++] = code;
  }
  return decoder.decode(octets.subarray(0, length));
}

/** The octet that two hex digits give; -1 when they are none. */
function hexPair(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at));
  const low = hexDigit(text.charCodeAt(at + 1));
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/** Value of a hex digit's character code (NaN past the end of a text); -1 when it is none. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
