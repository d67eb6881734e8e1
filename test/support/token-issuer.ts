import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TlsPair } from './tls-files.ts';

/** A key pair of an issuer. */
export interface SigningKey {
  readonly kid: string;
  readonly alg: 'RS256' | 'PS256' | 'ES256' | 'EdDSA';
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** The public half, as in a key set. */
  readonly jwk: Readonly<Record<string, unknown>>;
}

export function newSigningKey(alg: SigningKey['alg'] = 'ES256', kid: string = randomUUID()): SigningKey {
  const { privateKey, publicKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : alg === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' };
  return { kid, alg, privateKey, publicKey, jwk };
}

type Json = Readonly<Record<string, unknown>> | string;

/** What a token is made of; text is taken as it is, be it JSON or not. */
export interface TokenParts {
  readonly header: Json;
  readonly claims: Json;
}

const part = (json: Json): string =>
  Buffer.from(typeof json === 'string' ? json : JSON.stringify(json)).toString('base64url');

/** Signs by hand, not by the library that the gateway verifies with: anything can be signed. */
export function signToken({ header, claims }: TokenParts, key: Pick<SigningKey, 'alg' | 'privateKey'>): string {
  const input = `${part(header)}.${part(claims)}`;
  const { alg, privateKey } = key;
  const data = Buffer.from(input);
  const signature =
    alg === 'ES256'
      ? sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
      : alg === 'EdDSA'
        ? sign(null, data, privateKey)
        : sign('sha256', data, alg === 'PS256' ? { key: privateKey, padding: 6, saltLength: 32 } : privateKey);
  return `${input}.${signature.toString('base64url')}`;
}

/** HS256 with any secret. */
export function macToken({ header, claims }: TokenParts, secret: string | Buffer): string {
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

export function unsignedToken({ header, claims }: TokenParts): string {
  return `${part(header)}.${part(claims)}.`;
}

/** An issuer of tokens with a real HTTP server for its keys and metadata. */
export class TokenIssuer {
  keys: SigningKey[];
  /** Requests for the key set, and for the metadata. */
  fetches = 0;
  discoveries = 0;
  /** What it answers with instead of the key set. */
  answer: RequestListener | undefined = undefined;
  /** Seconds, by which its tokens are dated. */
  now: () => number = () => Date.now() / 1000;
  readonly #server: Server;
  readonly #scheme: string;

  constructor(keys: SigningKey[] = [newSigningKey()], tls?: TlsPair) {
    this.keys = keys;
    this.#scheme = tls === undefined ? 'http' : 'https';
    const listener: RequestListener = (request, response) => this.#respond(request, response);
    this.#server = tls === undefined ? createServer(listener) : createTlsServer(tls.pem, listener);
  }

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  get port(): number {
    const address: AddressInfo | string | null = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('not started');
    return address.port;
  }

  get url(): string {
    return `${this.#scheme}://${this.#scheme === 'https' ? 'localhost' : '127.0.0.1'}:${this.port}`;
  }

  get jwksUrl(): string {
    return `${this.url}/keys`;
  }

  get keySet(): string {
    return JSON.stringify({ keys: this.keys.map(({ jwk }) => jwk) });
  }

  /** A good token but for what is said; undefined takes a member away. */
  parts(claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): TokenParts {
    const now = Math.floor(this.now());
    const [key] = this.keys;
    return {
      header: { alg: key!.alg, kid: key!.kid, typ: 'JWT', ...header },
      claims: { iss: this.url, aud: 'shop', sub: 'ann', iat: now, nbf: now, exp: now + 300, ...claims },
    };
  }

  token(claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}): string {
    return signToken(this.parts(claims, header), this.keys[0]!);
  }

  #respond(...[request, response]: Parameters<RequestListener>): void {
    if (request.url === '/keys') {
      this.fetches++;
      if (this.answer !== undefined) {
        this.answer(request, response);
        return;
      }
      response.setHeader('content-type', 'application/json').end(this.keySet);
    } else if (request.url === '/.well-known/openid-configuration') {
      this.discoveries++;
      response.end(JSON.stringify({ issuer: this.url, jwks_uri: this.jwksUrl }));
    } else {
      response.writeHead(404).end();
    }
  }
}
