import {
  GetMetricsRequest,
  type GetMetricsResponse,
  MetricsServiceService,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { AdminClient } from '../support/admin-client.ts';
import { everythingPath } from '../support/everything-methods.ts';
import { Flag, FrameType, headers } from '../support/frames.ts';
import type { GatewayProcess } from '../support/gateway-process.ts';
import { GrpcClient } from '../support/grpc-client.ts';
import { type Holdings, ProbedGateway } from '../support/probed-gateway.ts';
import { RawBackend, type RawConnection } from '../support/raw-backend.ts';
import type { TestConfigOptions } from '../support/test-config.ts';
import type { Target } from './floods.ts';

/** A gateway in its own process before a backend that counts what reaches it, and is quiet unless told otherwise. */
export class World {
  readonly gateway: GatewayProcess;
  readonly #probed: ProbedGateway;
  readonly backend: RawBackend;
  readonly target: Target;
  readonly #admin: AdminClient;

  private constructor(probed: ProbedGateway, backend: RawBackend) {
    const { gateway } = probed;
    this.#probed = probed;
    this.gateway = gateway;
    this.backend = backend;
    this.target = { path: everythingPath('BidiStream'), key: gateway.config.key('alpha') };
    this.#admin = new AdminClient(gateway.admin, gateway.config.adminKey);
  }

  static async start(edit?: TestConfigOptions['edit']): Promise<World> {
    const backend = await new RawBackend({}).start();
    return new World(await ProbedGateway.start({ backend: backend.address, edit }), backend);
  }

  /** What the gateway holds when V8 was made to give back what it can. */
  held(): Promise<Holdings> {
    return this.#probed.holdings(true);
  }

  /** A proper client of another tenant. */
  victim(): GrpcClient {
    return new GrpcClient(`127.0.0.1:${this.gateway.public}`, this.gateway.config.key('beta'));
  }

  metrics(): Promise<GetMetricsResponse> {
    return this.#admin.call(MetricsServiceService.getMetrics, GetMetricsRequest.fromPartial({}));
  }

  /** Times that `peer` broke the limit `kind`. */
  async floods(peer: string, kind: string): Promise<number> {
    const { floods } = await this.metrics();
    return floods.find((each) => each.peer === peer && each.kind === kind)?.count ?? 0;
  }

  async close(): Promise<void> {
    this.#admin.close();
    await this.gateway.dispose();
    await this.backend.stop();
  }
}

/** The backend's answer to a call: OK. */
export function answerOk(connection: RawConnection, stream: number): void {
  connection.send(
    headers(stream, [
      [':status', '200'],
      ['content-type', 'application/grpc'],
    ]),
    headers(stream, [['grpc-status', '0']], Flag.END_HEADERS | Flag.END_STREAM),
  );
}

export { FrameType };
