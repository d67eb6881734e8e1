import type { TLSSocket } from 'node:tls';

/** Who a client's certificate, which was verified, says it is. */
export interface PeerIdentity {
  /** URIs of the subject's alternative names (RFC 5280 section 4.2.1.6); a SPIFFE ID is one. */
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  /** Of the subject; the last resort of old certificates. */
  readonly commonName: string | undefined;
  /** SHA-256 of the certificate, `AB:CD:...`. */
  readonly fingerprint: string;
  /** Unix milliseconds, the end of its validity. */
  readonly expiresAt: number;
}

/** The identity of a socket's peer; undefined when it gave no certificate, or none that was verified. */
export function readPeerIdentity(socket: TLSSocket): PeerIdentity | undefined {
  if (!socket.authorized) return undefined;
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return undefined;
  const names = parseSubjectAltName(certificate.subjectAltName ?? '');
  return {
    uris: names.filter(([kind]) => kind === 'URI').map(([, name]) => name),
    dnsNames: names.filter(([kind]) => kind === 'DNS').map(([, name]) => name.toLowerCase()),
    commonName: /^CN=(.*)$/m.exec(certificate.subject)?.[1],
    fingerprint: certificate.fingerprint256,
    expiresAt: certificate.validToDate.getTime(),
  };
}

/**
 * Reads the text that Node makes of alternative names: `DNS:a.test, URI:"spiffe://a, b"`. A name with a character that could
 * be mistaken for a separator comes as a JSON string (CVE-2021-44532), so a name cannot pretend to be two.
 */
export function parseSubjectAltName(text: string): (readonly [kind: string, name: string])[] {
  const names: (readonly [string, string])[] = [];
  for (const [, kind, quoted, plain] of text.matchAll(/([A-Za-z ]+):(?:("(?:[^"\\]|\\.)*")|([^,"]*))(?:, |$)/g)) {
    const name = quoted === undefined ? plain : unquote(quoted);
    if (name !== undefined) names.push([kind ?? '', name]);
  }
  return names;
}

function unquote(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
