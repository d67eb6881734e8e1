import { fileURLToPath } from 'node:url';
import { GatewayProcess } from '../support/gateway-process.ts';
import type { TestConfigOptions } from '../support/test-config.ts';

/** What a process holds, after a garbage collection. */
export interface Holdings {
  /** Octets. */
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  /** Open handles, requests and timers that keep the process alive, by kind. */
  readonly resources: Readonly<Record<string, number>>;
}

/** A gateway in a process of its own that says what it holds. */
export class ProbedGateway {
  readonly gateway: GatewayProcess;
  readonly #answers: ((holdings: Holdings) => void)[];

  private constructor(gateway: GatewayProcess, answers: ((holdings: Holdings) => void)[]) {
    this.gateway = gateway;
    this.#answers = answers;
  }

  static async start(options: TestConfigOptions): Promise<ProbedGateway> {
    const answers: ((holdings: Holdings) => void)[] = [];
    const probe = fileURLToPath(new URL('./probe.ts', import.meta.url));
    const gateway = await GatewayProcess.start(options, {
      execArgv: ['--expose-gc', '--import', probe],
      onMessage: (message) => {
        if (isHoldings(message)) answers.shift()?.(message);
      },
    });
    return new ProbedGateway(gateway, answers);
  }

  holdings(): Promise<Holdings> {
    return new Promise((resolve) => {
      this.#answers.push(resolve);
      this.gateway.send('holdings');
    });
  }
}

function isHoldings(message: unknown): message is Holdings {
  return typeof message === 'object' && message !== null && 'rss' in message && 'resources' in message;
}
