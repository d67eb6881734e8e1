import type { RedisClient, RedisConnection } from '../../../src/store/redis/connect.ts';
import type { CounterParts } from '../../../src/store/redis/rates.ts';
import { loadScripts, Scripts } from '../../../src/store/redis/scripts.ts';
import { SilenceGuard } from '../../../src/store/redis/silence.ts';
import { connected, redisSettings } from './support.ts';

const FILES = loadScripts();
const PATIENT = 1000;

/** One gateway's connection for its counters, with the store's own breaker. */
export class RedisFixture {
  readonly #connection: RedisConnection;
  readonly guard: SilenceGuard;
  readonly parts: CounterParts;
  /** Scripts that were run: the commands that decisions cost. */
  asked = 0;
  /** When Redis answered: monotonic milliseconds. */
  readonly heard: number[] = [];
  /** Questions that were not answered in time. */
  unanswered = 0;

  private constructor(connection: RedisConnection, patience: number) {
    this.#connection = connection;
    this.guard = new SilenceGuard({
      probe: () => connection.client.ping(),
      onFailure: () => void this.unanswered++,
      patience,
    });
    const scripts = new Scripts(connection.client, FILES);
    const run: Scripts['run'] = async (...args) => {
      this.asked++;
      const reply = await scripts.run(...args);
      this.heard.push(performance.now());
      return reply;
    };
    this.parts = { connection, guard: this.guard, scripts: { run } };
  }

  /** @param patience 1 where silence is the matter: elsewhere a busy machine must not be taken for it */
  static async open(port: number, keyPrefix = 'test:', patience = PATIENT): Promise<RedisFixture> {
    return new RedisFixture(await connected(redisSettings(port, { keyPrefix })), patience);
  }

  static over(connection: RedisConnection): RedisFixture {
    return new RedisFixture(connection, PATIENT);
  }

  get client(): RedisClient {
    return this.#connection.client;
  }

  /** Asks a store that is frozen, and resolves when it counts as silent. */
  async noticed(): Promise<void> {
    if (this.guard.silent) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = this.guard.onChange((state) => state === 'silent' && resolve());
    await this.guard.decide(() => this.client.ping());
    await promise;
    end();
  }

  /** Resolves when the store answers again. */
  async back(): Promise<void> {
    if (!this.guard.silent) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = this.guard.onChange((state) => state === 'back' && resolve());
    await promise;
    end();
  }

  close(): void {
    this.guard.close();
    this.#connection.close();
  }
}
