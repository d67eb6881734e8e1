import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { AuditServiceService as Audit, ListAuditEntriesRequest } from '../../generated/tollgate/admin/v1/audit.ts';
import { AdjustQuotaRequest, UsageServiceService as Usage } from '../../generated/tollgate/admin/v1/usage.ts';
import { Store_Redis } from '../../generated/tollgate/config/v1/config.ts';
import { Code } from '../../src/grpc/status.ts';
import { AdminClient } from '../support/admin-client.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type RedisServer, startRedis } from '../support/redis-server.ts';

// A correction of a quota is no document of the configuration: it and its audit entry survive kill -9 all the same, of the
// gateway and of Redis, and under its request id it is made once, whenever the gateway died.

const UNITS = 7;
/** Processes are started again and again, on a machine that has other things to do. */
const TIMEOUT_MS = 120_000;
const ROUNDS = 2;

describe.each(['embedded', 'redis'] as const)('with the %s store', (kind) => {
  let redis: RedisServer | undefined;
  let gateway: GatewayProcess;
  let admin: AdminClient;

  beforeAll(async () => {
    redis = kind === 'redis' ? await startRedis({ durable: true }) : undefined;
    gateway = await GatewayProcess.start({
      // Nothing is called here.
      backend: '127.0.0.1:1',
      edit: (config) => {
        if (redis === undefined) return;
        config.store = { kind: { $case: 'redis', redis: Store_Redis.fromPartial({ url: redis.url }) } };
      },
    });
    admin = new AdminClient(gateway.admin, gateway.config.adminKey);
  });
  afterAll(async () => {
    admin?.close();
    await gateway?.dispose();
    await redis?.stop();
  });

  /** Kills all there is, and starts it again. */
  async function killAndRestart(): Promise<void> {
    await gateway.kill('SIGKILL');
    await redis?.kill();
    admin.close();
    await redis?.restart();
    await gateway.start();
    admin = new AdminClient(gateway.admin, gateway.config.adminKey);
  }

  /** A gateway that has just started may not have Redis yet. */
  async function ask<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        expect(error).toMatchObject({ code: Code.UNAVAILABLE });
      }
    }
  }

  const adjust = (tenantId: string, requestId: string) => {
    const request = AdjustQuotaRequest.fromPartial({ tenantId, units: UNITS, reason: requestId, requestId });
    return ask(() => admin.call(Usage.adjustQuota, request));
  };
  const adjusted = async (tenantId: string) =>
    (await ask(() => admin.call(Usage.getUsage, { tenantId }))).quotas[0]?.adjusted;
  const reasons = async (tenantId: string) => {
    const request = ListAuditEntriesRequest.fromPartial({ tenantId, method: 'AdjustQuota', status: 'OK' });
    const { entries } = await ask(() => admin.call(Audit.listAuditEntries, request));
    return new Set(entries.map(({ reason }) => reason));
  };

  test(
    'what was acknowledged is there, and in the audit log',
    async () => {
      expect((await adjust('alpha', 'ticket 4711')).adjusted).toBe(UNITS);
      await killAndRestart();
      expect(await adjusted('alpha')).toBe(UNITS);
      expect(await reasons('alpha')).toEqual(new Set(['ticket 4711']));
      // Whoever does not know whether it was done asks again.
      expect((await adjust('alpha', 'ticket 4711')).adjusted).toBe(UNITS);
    },
    TIMEOUT_MS,
  );

  test(
    'what may or may not have been done is done once by asking again',
    async () => {
      const asked: string[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const requestId = `round ${round}`;
        asked.push(requestId);
        // The request is on its way, or has arrived, or is done: nobody knows.
        const request = AdjustQuotaRequest.fromPartial({
          tenantId: 'beta',
          units: UNITS,
          reason: requestId,
          requestId,
        });
        const answer = admin.call(Usage.adjustQuota, request).catch(() => undefined);
        await killAndRestart();
        await answer;
        await adjust('beta', requestId);
        expect(await adjusted('beta')).toBe(UNITS * asked.length);
        expect(await reasons('beta')).toEqual(new Set(asked));
      }
    },
    TIMEOUT_MS,
  );
});
