import { fileURLToPath } from 'node:url';
import { GatewayProcess } from './gateway-process.ts';
import type { TestConfigOptions } from './test-config.ts';

/** What a process holds, in octets where nothing else is said. */
export interface Holdings {
  /** Resident memory as the system sees it, before anything was collected. */
  readonly rss: number;
  /** In use after a garbage collection. */
  readonly heapUsed: number;
  readonly external: number;
  /** Resident memory after V8 gave back to the system what it can: only where it was asked to. */
  readonly squeezed: number | undefined;
  /** Open handles, requests and timers that keep the process alive, by kind. */
  readonly resources: Readonly<Record<string, number>>;
  /** Its TCP sockets, a line each. */
  readonly sockets: readonly string[];
}

/** A gateway in a process of its own that says what it holds. */
export class ProbedGateway {
  readonly gateway: GatewayProcess;
  readonly #answers: ((holdings: Holdings) => void)[];

  private constructor(gateway: GatewayProcess, answers: ((holdings: Holdings) => void)[]) {
    this.gateway = gateway;
    this.#answers = answers;
  }

  /** @param flags of Node */
  static async start(options: TestConfigOptions, flags: readonly string[] = []): Promise<ProbedGateway> {
    const answers: ((holdings: Holdings) => void)[] = [];
    const probe = fileURLToPath(new URL('./gateway-probe.ts', import.meta.url));
    const gateway = await GatewayProcess.start(options, {
      execArgv: ['--expose-gc', '--import', probe, ...flags],
      onMessage: (message) => {
        if (isHoldings(message)) answers.shift()?.(message);
      },
    });
    return new ProbedGateway(gateway, answers);
  }

  /** @param squeeze whether V8 is to give back what it can first: it takes a while, and V8 has to grow anew */
  holdings(squeeze = false): Promise<Holdings> {
    return new Promise((resolve) => {
      this.#answers.push(resolve);
      this.gateway.send(squeeze ? 'squeeze' : 'holdings');
    });
  }

  /** Makes the process keep about so many octets more, for ever. */
  leak(octets: number): void {
    this.gateway.send(`leak ${Math.round(octets)}`);
  }
}

function isHoldings(message: unknown): message is Holdings {
  return typeof message === 'object' && message !== null && 'rss' in message && 'resources' in message;
}
