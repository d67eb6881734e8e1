import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { Tenant, Tenant_State, TenantServiceService } from '../../generated/tollgate/admin/v1/tenant.ts';
import { grpcMessage, methodPaths } from '../fixtures.ts';
import type { Bench } from '../measure.ts';
import { median } from '../table.ts';
import { keyOf, type Scale, tenantId } from './scale-store.ts';
import { ADMIN_KEY, type ScaledGateway } from './start-at.ts';

export interface ChangeTimes {
  readonly count: number;
  /** Milliseconds. */
  readonly median: number;
  readonly longest: number;
  /** CPU of the gateway in that time, milliseconds: what a busy machine does not change. */
  readonly cpuMedian: number;
  readonly cpuLongest: number;
}

const UNAUTHENTICATED = 16;

/** Suspends tenants here and there, and calls as they: from the request for the change to the answer that is told by it. */
export async function measureChanges(
  bench: Bench,
  gateway: ScaledGateway,
  scale: Scale,
  count: number,
): Promise<ChangeTimes> {
  const admin = connect(gateway.admin);
  const caller = connect(gateway.port);
  const times: number[] = [];
  const cpu: number[] = [];
  try {
    const set = (id: string, state: Tenant_State) =>
      call(admin, TenantServiceService.updateTenant, ADMIN_KEY, {
        tenant: Tenant.fromPartial({ id, state }),
        updateMask: ['state'],
      });
    // Neither compiled code nor connections are what is measured.
    for (let i = -10; i < count; i += 1) {
      const tenant = Math.floor(((i + 10.5) / (count + 10)) * scale.tenants);
      const { text } = keyOf(tenant, 0);
      await echo(caller, text);
      const cpuBegun = bench.cpu(gateway.pid);
      const begun = performance.now();
      await set(tenantId(tenant), Tenant_State.STATE_SUSPENDED);
      const code = await echo(caller, text).then(
        () => 0,
        (error: { code?: number }) => error.code,
      );
      const took = performance.now() - begun;
      const worked = (bench.cpu(gateway.pid) - cpuBegun) / 1000;
      if (code !== UNAUTHENTICATED) throw new Error(`the first call after the change was told ${code}`);
      if (i >= 0) {
        times.push(took);
        cpu.push(worked);
      }
      await set(tenantId(tenant), Tenant_State.STATE_ACTIVE);
    }
  } finally {
    admin.close();
    caller.close();
  }
  return {
    count,
    median: median(times),
    longest: Math.max(...times),
    cpuMedian: median(cpu),
    cpuLongest: Math.max(...cpu),
  };
}

const connect = (port: number) => new Client(`127.0.0.1:${port}`, credentials.createInsecure());

const same = (octets: Buffer) => octets;
const ECHO: MethodDefinition<Buffer, Buffer> = {
  path: methodPaths()[0]!,
  requestStream: false,
  responseStream: false,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
};
const echo = (client: Client, key: string) => call(client, ECHO, key, grpcMessage(71).subarray(5));

function call<Request, Response>(
  client: Client,
  { path, requestSerialize, responseDeserialize }: MethodDefinition<Request, Response>,
  key: string,
  request: Request,
): Promise<Response> {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${key}`);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, metadata, (error, response) =>
      response === undefined ? reject(error) : resolve(response),
    );
  });
}
