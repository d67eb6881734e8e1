import type { BackendReply, BackendRequest } from './backend-process.ts';
import type { AdmittedCall } from './checker.ts';
import { Child } from './child.ts';

/** The counting backend as tests see it: a process with a port for each gateway. */
export class CountingBackend {
  /** All calls that were fetched, in the order in which they came. */
  readonly calls: AdmittedCall[] = [];
  readonly #child: Child<BackendRequest, BackendReply>;

  private constructor(child: Child<BackendRequest, BackendReply>) {
    this.#child = child;
  }

  static async start(gateways: number): Promise<CountingBackend> {
    return new CountingBackend(await Child.start('./backend-process.ts', [gateways]));
  }

  /** By gateway. */
  get ports(): readonly number[] {
    return this.#child.ports;
  }

  /** Fetches what was logged since the last time. @returns all there is */
  async fetch(): Promise<readonly AdmittedCall[]> {
    const reply = await this.#child.ask({ ask: 'log' });
    if (reply !== 'done') for (const call of reply.calls) this.calls.push(call);
    return this.calls;
  }

  /** What was logged so far never was. */
  async forget(): Promise<void> {
    await this.fetch();
    this.calls.length = 0;
  }

  /** Calls of these gateways fail with UNAVAILABLE from now on; those of others do not. */
  async fail(gateways: readonly number[]): Promise<void> {
    await this.#child.ask({ ask: 'fail', gateways });
  }

  /** Connections of these gateways are closed and refused from now on; those of others are not. */
  async cut(gateways: readonly number[]): Promise<void> {
    await this.#child.ask({ ask: 'cut', gateways });
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
