const KEY = /^[0-9a-z_.-]+$/;
const ASCII_VALUE = /^[ -~]*$/;
const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Whether metadata under this key is binary: sent as base64 (gRPC over HTTP/2, "Custom-Metadata"). */
export function isBinaryKey(key: string): boolean {
  return key.endsWith('-bin');
}

/** Whether applications may use the key: lower case, and not reserved for gRPC itself (`grpc-`). */
export function isValidKey(key: string): boolean {
  return KEY.test(key) && !key.startsWith('grpc-');
}

/** Whether a value may stand in metadata that is not binary: space to `~`. */
export function isValidAsciiValue(value: string): boolean {
  return ASCII_VALUE.test(value);
}

/** Encodes the value of a `-bin` key: base64 without padding, as the specification recommends. */
export function encodeBinary(octets: Uint8Array): string {
  const text = Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('base64');
  const padding = text.indexOf('=');
  return padding < 0 ? text : text.slice(0, padding);
}

/** Decodes one value of a `-bin` key, padded or not; undefined when it is no base64. */
export function decodeBinary(value: string): Buffer | undefined {
  const text = value.trim();
  if (!BASE64.test(text)) return undefined;
  const padding = text.indexOf('=');
  const digits = padding < 0 ? text.length : padding;
  // One digit left over is no octet; padding, where there is any, fills up to four.
  if (digits % 4 === 1 || (padding >= 0 && text.length % 4 !== 0)) return undefined;
  return Buffer.from(text, 'base64');
}

/** Decodes all values of one `-bin` field: several may have been joined with commas. Undefined when one is malformed. */
export function decodeBinaryList(value: string): Buffer[] | undefined {
  const values: Buffer[] = [];
  for (const part of value.split(',')) {
    const octets = decodeBinary(part);
    if (octets === undefined) return undefined;
    values.push(octets);
  }
  return values;
}
