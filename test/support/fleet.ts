import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { FleetServiceService } from '../../generated/tollgate/admin/v1/fleet.ts';
import { type Config, Store_Redis } from '../../generated/tollgate/config/v1/config.ts';
import type { AdmittedCall } from '../fleet/checker.ts';
import { Child } from '../fleet/child.ts';
import { CountingBackend } from '../fleet/counting-backend.ts';
import { type Answer, Load } from '../fleet/load.ts';
import { monotonicMs } from '../fleet/monotonic.ts';
import type { RelayRequest } from '../fleet/relay-process.ts';
import { readSilences, type Silence } from '../fleet/silences.ts';
import { AdminClient } from './admin-client.ts';
import { GatewayProcess } from './gateway-process.ts';
import { type RedisServer, type RedisServerOptions, startRedis } from './redis-server.ts';
import { newKey } from './test-config.ts';

export interface FleetOptions {
  readonly gateways: number;
  /** Changes the configuration of every gateway; they must stay alike but for what is their own. */
  readonly edit?: (config: Config, gateway: number) => void;
  /** Gateways reach Redis through relays that can be cut one by one. */
  readonly relays?: boolean;
  readonly redis?: RedisServerOptions;
  /** Each gateway on an embedded store of its own, without Redis: to test the harness. */
  readonly embedded?: boolean;
}

/** A gateway's log tells at once of the first late answer, and of those that follow once a second. */
const TELL_MS = 1_100;

/** Several gateways as processes on one real Redis before one counting backend: what the tests of a fleet start and hurt. */
export class Fleet {
  readonly backend: CountingBackend;
  readonly gateways: readonly GatewayProcess[];
  readonly adminKey: string;
  readonly #redis: RedisServer | undefined;
  readonly #relays: Child<RelayRequest, 'done'> | undefined;
  readonly #keys: ReadonlyMap<string, string>;
  readonly #loads = new Map<Load, number>();
  readonly #pastSilences: Silence[] = [];

  private constructor(parts: FleetParts, gateways: readonly GatewayProcess[]) {
    this.backend = parts.backend;
    this.#redis = parts.redis;
    this.#relays = parts.relays;
    this.#keys = parts.keys;
    this.adminKey = parts.adminKey;
    this.gateways = gateways;
  }

  static async start(options: FleetOptions): Promise<Fleet> {
    const parts: FleetParts = {
      backend: await CountingBackend.start(options.gateways),
      redis: undefined,
      relays: undefined,
      keys: new Map(),
      adminKey: newKey('admin'),
    };
    try {
      if (!options.embedded) {
        parts.redis = await startRedis({ durable: true, ...options.redis });
        if (options.relays) {
          parts.relays = await Child.start('./relay-process.ts', [parts.redis.port, options.gateways]);
        }
      }
      // The first writes the configuration; the others find it written.
      const gateways = [await startGateway(options, parts, 0)];
      const others = Array.from({ length: options.gateways - 1 }, (_, index) =>
        startGateway(options, parts, index + 1),
      );
      const started = await Promise.allSettled(others);
      for (const result of started) if (result.status === 'fulfilled') gateways.push(result.value);
      const failed = started.find((result) => result.status === 'rejected');
      if (failed !== undefined) {
        for (const gateway of gateways) await gateway.dispose();
        throw failed.reason;
      }
      for (const gateway of gateways) await warmUp(gateway);
      await parts.backend.forget();
      return new Fleet(parts, gateways);
    } catch (error) {
      await stopParts(parts);
      throw error;
    }
  }

  /** @throws when the fleet has none */
  get redis(): RedisServer {
    if (this.#redis === undefined) throw new Error('the fleet has no Redis');
    return this.#redis;
  }

  /** The key of a tenant of the configuration. */
  key(tenant: string): string {
    const key = this.#keys.get(tenant);
    if (key === undefined) throw new Error(`no tenant ${tenant}`);
    return key;
  }

  /** Admin services of one gateway. Close it. */
  admin(gateway = 0): AdminClient {
    return new AdminClient(this.gateways[gateway]!.admin, this.adminKey);
  }

  /** A generator of calls to one gateway, at rate 0; it follows the gateway over restarts. */
  load(gateway: number, key: string, onAnswer?: (answer: Answer) => void): Load {
    const load = new Load(key, onAnswer);
    load.aim(this.gateways[gateway]!.public);
    this.#loads.set(load, gateway);
    return load.start();
  }

  /** Ends a generator before the fleet does. */
  async unload(load: Load): Promise<void> {
    this.#loads.delete(load);
    await load.stop();
  }

  /** Starts one again that was killed, on what it has on its disk. */
  async restart(gateway: number): Promise<void> {
    // A start forgets what was printed before.
    this.#pastSilences.push(...this.#silencesOf(gateway));
    await this.gateways[gateway]!.start();
    for (const [load, of] of this.#loads) if (of === gateway) load.aim(this.gateways[gateway]!.public);
  }

  /** What the network between a gateway and Redis does from now on. @throws without `relays` */
  async network(gateway: number, order: RelayRequest['order']): Promise<void> {
    if (this.#relays === undefined) throw new Error('the fleet has no relays');
    await this.#relays.ask({ relay: gateway, order });
  }

  /** Scripts that Redis has run since it started: what gateways cost it. */
  async scriptRuns(): Promise<number> {
    const stats = String(await this.redis.command('INFO', 'commandstats'));
    const counts = [...stats.matchAll(/cmdstat_(?:evalsha|eval|fcall):calls=(\d+)/g)];
    return counts.reduce((sum, [, count]) => sum + Number(count), 0);
  }

  /** Units that Redis counts as used, those leased included, of a tenant's quota in all periods. */
  async quotaUsed(tenant: string, metric: string): Promise<number> {
    let used = 0;
    for (const key of (await this.redis.command('KEYS', `*{t:${tenant}}:quota:${metric}*`)) as string[]) {
      used += Number(await this.redis.command('HGET', key, 'total'));
    }
    return used;
  }

  /** Calls of a tenant that the backend has seen. */
  async callsOf(tenant: string): Promise<AdmittedCall[]> {
    return (await this.backend.fetch()).filter((call) => call.tenant === tenant);
  }

  /** When gateways did not hear from Redis in time, as they said. What is not over yet, or not told, is waited for. */
  async silences(): Promise<Silence[]> {
    const known = () => [...this.#pastSilences, ...this.gateways.flatMap((_, gateway) => this.#silencesOf(gateway))];
    await this.#heard();
    if (known().length === 0) return [];
    await setTimeout(TELL_MS);
    await this.#heard();
    return known();
  }

  /** Resolves when every gateway has heard from Redis. */
  async #heard(): Promise<void> {
    for (const [gateway, { running }] of this.gateways.entries()) {
      if (!running) continue;
      const admin = this.admin(gateway);
      await admin.call(FleetServiceService.listGateways, {}).finally(() => admin.close());
    }
  }

  /** Lines of the gateways' logs that match, with the gateway's index before them. */
  logged(pattern: RegExp): string[] {
    return this.gateways.flatMap(({ output }, gateway) =>
      output.split('\n').flatMap((line) => (pattern.test(line) ? [`${gateway}: ${line}`] : [])),
    );
  }

  async dispose(): Promise<void> {
    await Promise.all([...this.#loads.keys()].map((load) => load.stop()));
    // A stopped process dies of SIGKILL, too.
    await Promise.all(this.gateways.map((gateway) => gateway.dispose()));
    await stopParts({ backend: this.backend, redis: this.#redis, relays: this.#relays });
  }

  #silencesOf(gateway: number): Silence[] {
    const now = monotonicMs();
    return readSilences(this.gateways[gateway]!.output, gateway, now - Date.now(), now);
  }
}

interface FleetParts {
  readonly backend: CountingBackend;
  redis: RedisServer | undefined;
  relays: Child<RelayRequest, 'done'> | undefined;
  readonly keys: Map<string, string>;
  readonly adminKey: string;
}

async function startGateway(options: FleetOptions, parts: FleetParts, index: number): Promise<GatewayProcess> {
  const { backend, redis, relays, keys } = parts;
  return await GatewayProcess.start(
    {
      backend: `127.0.0.1:${backend.ports[index]}`,
      edit: (config) => {
        if (redis !== undefined) {
          const port = relays?.ports[index] ?? redis.port;
          config.store = {
            kind: { $case: 'redis', redis: Store_Redis.fromPartial({ url: `redis://127.0.0.1:${port}` }) },
          };
        }
        options.edit?.(config, index);
        for (const tenant of config.tenants) shareKey(tenant, keys);
      },
    },
    { env: { TOLLGATE_ADMIN_KEY: parts.adminKey } },
  );
}

/** The way to the backend is made by the first call: those that wait for it would come to its log all at once. */
async function warmUp(gateway: GatewayProcess): Promise<void> {
  const load = new Load(undefined, undefined, 'Open');
  load.aim(gateway.public);
  await load.call();
  await load.stop();
}

/** The same key on all gateways. */
function shareKey(tenant: Config['tenants'][number], keys: Map<string, string>): void {
  if (tenant.keys.length > 0) return;
  const key = keys.get(tenant.id) ?? newKey(tenant.id);
  keys.set(tenant.id, key);
  const sha256 = createHash('sha256').update(key).digest('hex');
  tenant.keys = [{ name: 'test', secret: { $case: 'sha256', sha256 }, scopes: ['everything.scoped'], limits: [] }];
}

async function stopParts({ backend, redis, relays }: Pick<FleetParts, 'backend' | 'redis' | 'relays'>): Promise<void> {
  await Promise.all([backend.stop(), redis?.stop(), relays?.stop()]);
}
