import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AdminClient } from '../support/admin-client.ts';
import { EverythingBackend } from '../support/everything-backend.ts';
import { everythingPath } from '../support/everything-methods.ts';
import { H2Client } from '../support/h2-client.ts';
import { startTestGateway, type TestGateway } from '../support/test-gateway.ts';

const PATH = everythingPath('Unary');
const BURST = 20;
/** That a connection may have checked although its source is slowed. */
const OF_CONNECTION = 3;
const backend = new EverythingBackend();
let gateway: TestGateway;
let admin: AdminClient;
const clients: H2Client[] = [];

beforeAll(async () => {
  await backend.start();
  gateway = await startTestGateway({
    backend: backend.address,
    edit: (config) => {
      // Forgiven so slowly that nothing is in the time of a test.
      config.authentication = { httpHosts: [], ca: '', failures: { burst: BURST, rate: 0.0001, exempt: [] } };
    },
  });
  admin = new AdminClient(gateway.admin, gateway.adminKey);
});
afterAll(async () => {
  for (const client of clients) client.close();
  admin?.close();
  await gateway?.stop();
  await backend.stop();
});

async function connect(): Promise<H2Client> {
  const client = await H2Client.connect(`http://127.0.0.1:${gateway.public}`);
  clients.push(client);
  return client;
}

const guess = () => `tg_laptop_${randomBytes(8).toString('hex')}_${randomBytes(24).toString('hex')}`;

test('who guesses is checked no more; who is known goes on, and so does a neighbour with a new key', async () => {
  const [attacker, known] = [await connect(), await connect()];
  expect(await known.grpc(PATH, gateway.key('alpha'))).toBe(0);
  for (let i = 0; i < BURST + OF_CONNECTION + 200; i++) expect(await attacker.grpc(PATH, guess())).toBe(16);
  const { failures, refused } = gateway.gateway.authentication;
  expect([failures, refused]).toEqual([BURST + OF_CONNECTION, 200]);

  // The attacker's connection has nothing that is not known already, be it a good key.
  const fresh = await admin.createKey('alpha', 'fresh');
  expect(await attacker.grpc(PATH, fresh.key)).toBe(16);
  expect(await attacker.grpc(PATH, gateway.key('alpha'))).toBe(0);
  expect(await known.grpc(PATH, gateway.key('alpha'))).toBe(0);
  const neighbour = await connect();
  expect(await neighbour.grpc(PATH, fresh.key)).toBe(0);
  expect(await attacker.grpc(PATH, fresh.key)).toBe(0);
});
