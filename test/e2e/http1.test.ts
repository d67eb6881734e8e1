import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Listener_Errors } from '../../generated/tollgate/config/v1/config.ts';
import { H2Client } from '../support/h2-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';
import { connectTcp, exchangeText } from '../support/tls-peer.ts';

// Load balancers and people speak HTTP/1.1 to any port.

let gateway: TestGateway;
beforeEach(async () => {
  gateway = await startTestGateway({
    backend: '127.0.0.1:1',
    edit: (config) => {
      config.listeners.push({ ...config.listeners[0]!, name: 'uniform', errors: Listener_Errors.ERRORS_UNIFORM });
    },
  });
});
afterEach(() => gateway.stop());

/** Sends octets in one piece or one by one, and gives the whole answer; the gateway must close behind it. */
async function ask(text: string, options: { listener?: string; singly?: boolean } = {}): Promise<Answer> {
  const socket = await connectTcp(gateway.port(options.listener ?? 'public'));
  socket.setNoDelay(true);
  const octets = Buffer.from(text, 'latin1');
  if (options.singly) for (const octet of octets.subarray(0, -1)) socket.write(Buffer.of(octet));
  const answer = await exchangeText(socket, options.singly ? octets.subarray(-1) : octets);
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  return { raw: answer, status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]), head, body };
}

interface Answer {
  readonly raw: string;
  readonly status: number;
  readonly head: string;
  readonly body: string;
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: gateway\r\nuser-agent: kube-probe/1.30\r\n\r\n`;

describe('probes in HTTP/1.1', () => {
  test.each(['public', 'admin', 'uniform'])(
    'are answered by the listener %s, and the connection is closed',
    async (listener) => {
      expect(await ask(get('/healthz'), { listener })).toMatchObject({ status: 200, body: 'ok\n' });
      const ready = await ask(get('/readyz?verbose'), { listener });
      expect(ready).toMatchObject({ status: 200, body: 'ready\n' });
      expect(ready.head).toMatch(/connection: close/);
      expect(ready.head).toMatch(/content-length: 6/);
    },
  );

  test('are answered however they are cut, to HTTP/1.0 and bare line feeds, too', async () => {
    expect((await ask(get('/healthz'), { singly: true })).status).toBe(200);
    expect((await ask('GET /healthz HTTP/1.0\r\n\r\n')).status).toBe(200);
    expect((await ask('GET /healthz HTTP/1.1\nhost: a\n\n')).status).toBe(200);
  });

  test('HEAD gets no body', async () => {
    const answer = await ask('HEAD /readyz HTTP/1.1\r\n\r\n');
    expect(answer).toMatchObject({ status: 200, body: '' });
    expect(answer.head).toMatch(/content-length: 6/);
  });

  test('tell that the gateway goes, while it still takes calls', async () => {
    const stopped = gateway.gateway.stop(0, 300);
    expect(await ask(get('/readyz'))).toMatchObject({ status: 503, body: 'not ready\n' });
    expect((await ask(get('/healthz'))).status).toBe(200);
    await stopped;
  });
});

test('probes are answered in HTTP/2, too', async () => {
  const client = await H2Client.connect(`http://127.0.0.1:${gateway.public}`);
  const probe = async (path: string) => (await client.request({ ':method': 'GET', ':path': path })).status;
  expect([await probe('/healthz'), await probe('/readyz'), await probe('/other')]).toEqual([200, 200, 415]);
  client.close();
});

describe('everything else in HTTP/1.1', () => {
  test.each([
    ['another path', get('/')],
    ['POST of gRPC', 'POST /a.B/C HTTP/1.1\r\ncontent-type: application/grpc\r\ncontent-length: 5\r\n\r\nhello'],
    ['POST to a probe', 'POST /healthz HTTP/1.1\r\n\r\n'],
    ['an upgrade to h2c', 'GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n'],
  ])('%s gets 505 and a sentence, or 401 where errors are uniform', async (_, text) => {
    const answer = await ask(text);
    expect(answer.status).toBe(505);
    expect(answer.body).toMatch(/gRPC over HTTP\/2/);
    expect(await ask(text, { listener: 'uniform' })).toMatchObject({ status: 401, body: 'Unauthorized\n' });
  });

  test('a head without end is answered at 8 KiB, and no sooner', async () => {
    const filler = (octets: number) => `GET /healthz HTTP/1.1\r\nx: ${'y'.repeat(octets)}`;
    expect((await ask(`${filler(8_000)}\r\n\r\n`)).status).toBe(200);
    expect((await ask(filler(9_000))).status).toBe(431);
    expect((await ask(`GET /${'a'.repeat(9_000)}`)).status).toBe(431);
  });

  test.each([
    'nonsense',
    'GET  / HTTP/1.1\r\n\r\n',
    'get / http/1.1\r\n\r\n',
    'GET / HTTP/3\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nXX',
    '\0\0\0',
  ])('%j is neither, and is closed', async (text) => {
    expect((await ask(text)).raw).not.toMatch(/^HTTP/);
  });
});
