/** A JWS in compact form (RFC 7515 section 7.1): what begins as a JSON object does, in base64url, is "e" and one of these. */
const COMPACT = /^e[w-z0-9_-][A-Za-z0-9_-]*\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;

/** Whether a text has the form of a token. Never true of keys in our own form, and no other key may have it. */
export function isTokenShaped(text: string): boolean {
  return text.charCodeAt(0) === 0x65 && COMPACT.test(text);
}
