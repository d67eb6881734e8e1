/**
 * `npm run bench:auth`: can a stranger tell by the time of the answer what is wrong with a credential? One connection asks with
 * credentials of each kind in turn, each of them for the first time and then once more, when the gateway knows it.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import { ApiKey, ApiKey_State, ApiKeyServiceService } from '../generated/tollgate/admin/v1/api_key.ts';
import { Issuer } from '../generated/tollgate/admin/v1/issuer.ts';
import { Tenant_State } from '../generated/tollgate/admin/v1/tenant.ts';
import type { Config } from '../generated/tollgate/config/v1/config.ts';
import { hashKey } from '../src/tenants/key-text.ts';
import { AdminClient } from '../test/support/admin-client.ts';
import { EverythingBackend } from '../test/support/everything-backend.ts';
import { everythingPath } from '../test/support/everything-methods.ts';
import { Flag, FrameCutter, FrameType, frame, headers, windowUpdate } from '../test/support/frames.ts';
import { GatewayProcess } from '../test/support/gateway-process.ts';
import { newSigningKey, signToken, TokenIssuer } from '../test/support/token-issuer.ts';
import { median } from './table.ts';

const { values } = parseArgs({ options: { samples: { type: 'string', default: '500' } } });
const SAMPLES = Number(values.samples);
const WARM_UP = 100;

const newKey = () => `tg_laptop_${randomBytes(8).toString('hex')}_${randomBytes(24).toString('hex')}`;
const newKeys = () => Array.from({ length: SAMPLES + WARM_UP }, newKey);

/** What is measured: credentials of a kind, each of which is used for two calls. */
const revoked = newKeys();
const disabled = newKeys();
const expired = newKeys();
const suspended = newKeys();
const STORED = { revoked, disabled, expired } as const;

async function ready(gateway: GatewayProcess): Promise<void> {
  const admin = new AdminClient(gateway.port('admin'), gateway.config.adminKey);
  const update = (id: string, change: Partial<ApiKey>, ...updateMask: string[]) =>
    admin.call(ApiKeyServiceService.updateApiKey, { apiKey: ApiKey.fromPartial({ id, ...change }), updateMask });
  for (let i = 0; i < SAMPLES + WARM_UP; i++) {
    await admin.deleteKey(`alpha.revoked-${i}`);
    await update(`alpha.disabled-${i}`, { state: ApiKey_State.STATE_DISABLED }, 'state');
    await update(`alpha.expired-${i}`, { expireTime: new Date(Date.now() - 1000) }, 'expire_time');
  }
  await admin.updateTenant('beta', { state: Tenant_State.STATE_SUSPENDED });
  admin.close();
}

function edit(config: Config, issuer: TokenIssuer): void {
  const stored = (kind: string, keys: readonly string[]) =>
    keys.map((key, i) => ({
      name: `${kind}-${i}`,
      secret: { $case: 'sha256', sha256: hashKey(key) } as const,
      scopes: [],
      limits: [],
    }));
  config.tenants[0]!.keys = Object.entries(STORED).flatMap(([kind, keys]) => stored(kind, keys));
  config.tenants[1]!.keys = stored('suspended', suspended);
  const keys = { $case: 'jwksUrl', jwksUrl: issuer.jwksUrl } as const;
  config.tenants[0]!.issuers = [Issuer.fromPartial({ issuer: issuer.url, audiences: ['shop'], keys })];
  config.authentication = { httpHosts: [], ca: '', failures: { burst: 1_000_000, rate: 1_000_000, exempt: [] } };
}

/** Calls one after another on one connection. */
class Caller {
  readonly #socket: Socket;
  readonly #cutter = new FrameCutter(false);
  #stream = 1;
  #answered: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      for (const { type, flags, stream } of this.#cutter.push(chunk)) {
        if (type === FrameType.SETTINGS && flags === 0) socket.write(frame(FrameType.SETTINGS, Flag.ACK, 0));
        if (stream !== 0 && (flags & Flag.END_STREAM) !== 0) this.#answered();
      }
    });
    socket.write(
      Buffer.concat([
        Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
        frame(FrameType.SETTINGS, 0, 0),
        windowUpdate(0, 1_000_000),
      ]),
    );
  }

  /** @returns microseconds until the answer had ended */
  async time(credential: string): Promise<number> {
    const request = headers(
      this.#stream,
      [
        [':method', 'POST'],
        [':scheme', 'http'],
        [':path', everythingPath('Unary')],
        ['content-type', 'application/grpc'],
        ['te', 'trailers'],
        ['authorization', `Bearer ${credential}`],
      ],
      Flag.END_HEADERS | Flag.END_STREAM,
    );
    this.#stream += 2;
    const answered = new Promise<void>((resolve) => {
      this.#answered = resolve;
    });
    const begin = performance.now();
    this.#socket.write(request);
    await answered;
    return (performance.now() - begin) * 1000;
  }
}

interface Kind {
  readonly name: string;
  readonly credential: (i: number) => string;
  readonly first: number[];
  readonly again: number[];
}

function kindsOf(issuer: TokenIssuer): Kind[] {
  const stranger = newSigningKey('ES256', 'stranger');
  const kinds: Record<string, (i: number) => string> = {
    'unknown key': newKey,
    'malformed key': () => `tg!${newKey().slice(3)}`,
    'malformed key, short': () => randomBytes(8).toString('hex'),
    'revoked key (deleted)': (i) => revoked[i]!,
    'revoked key (disabled)': (i) => disabled[i]!,
    'expired key': (i) => expired[i]!,
    'key of a suspended tenant': (i) => suspended[i]!,
    'token with a false signature': (i) => signToken(issuer.parts({ jti: `${i}` }), stranger),
    'token with an unknown kid': (i) => issuer.token({ jti: `${i}` }, { kid: 'nobody' }),
  };
  return Object.entries(kinds).map(([name, credential]) => ({ name, credential, first: [], again: [] }));
}

/** The share of pairs in which one of `a` took longer than one of `b`: 0.5 when the two cannot be told apart. */
function slower(a: readonly number[], b: readonly number[]): number {
  const sorted = b.toSorted((x, y) => x - y);
  let below = 0;
  for (const value of a) {
    const index = sorted.findIndex((other) => other >= value);
    below += index < 0 ? sorted.length : index;
  }
  return below / (a.length * b.length);
}

function row(name: string, samples: readonly number[], reference: readonly number[]): string {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]!.toFixed(0);
  return `${name.padEnd(32)} ${median(sorted).toFixed(0).padStart(6)} ${at(0.25).padStart(6)} ${at(0.75).padStart(6)} ${slower(samples, reference).toFixed(3).padStart(8)}`;
}

const issuer = await new TokenIssuer().start();
const backend = await new EverythingBackend().start();
const gateway = await GatewayProcess.start({ backend: backend.address, edit: (config) => edit(config, issuer) });
try {
  await ready(gateway);
  const socket = connect(gateway.public, '127.0.0.1');
  await once(socket, 'connect');
  const caller = new Caller(socket);
  await caller.time(issuer.token());
  const kinds = kindsOf(issuer);
  for (let i = 0; i < SAMPLES + WARM_UP; i++) {
    // In another order each time: who comes behind a slow one would always be slow.
    for (const kind of kinds.toSorted(() => Math.random() - 0.5)) {
      const credential = kind.credential(i);
      const [first, again] = [await caller.time(credential), await caller.time(credential)];
      if (i < WARM_UP) continue;
      kind.first.push(first);
      kind.again.push(again);
    }
  }
  socket.destroy();
  for (const which of ['first', 'again'] as const) {
    process.stdout.write(
      `\n${which === 'first' ? 'The first time' : 'Once more'}, us: ${SAMPLES} each, and how often it was slower than an unknown key\n`,
    );
    process.stdout.write(
      `${'kind'.padEnd(32)} ${['median', '25 %', '75 %'].map((text) => text.padStart(6)).join(' ')}   slower\n`,
    );
    for (const kind of kinds) process.stdout.write(`${row(kind.name, kind[which], kinds[0]![which])}\n`);
  }
} finally {
  await gateway.dispose();
  await Promise.all([issuer.stop(), backend.stop()]);
}
