import {
  type FleetServiceServer,
  type Gateway,
  type ListGatewaysResponse,
  FleetServiceService as Methods,
  type RestoreConfigurationRequest,
  type WaitForVersionRequest,
  type WaitForVersionResponse,
} from '../../generated/tollgate/admin/v1/fleet.ts';
import { durationToMs } from '../contracts/policy.ts';
import type { FleetView, GatewayEntry } from '../store/redis/gateways.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { Changes } from './changes.ts';
import { createUnaryHandler } from './unary-handler.ts';

/** What the service needs of the fleet: who is there, and what the store has. */
export interface FleetSource {
  /** @throws StoreUnavailable */
  view(): Promise<FleetView>;
  /** @throws StoreUnavailable */
  restore(): Promise<boolean>;
}

const DEFAULT_TIMEOUT_MS = 2000;
/** Between looks: a gateway says what it has as soon as it has it. */
const LOOK_EVERY_MS = 20;

/** `tollgate.admin.v1.FleetService`. @param now Unix milliseconds */
export function createFleetService(
  fleet: FleetSource,
  changes: Changes,
  now: () => number,
  log: Logger,
): FleetServiceServer {
  return {
    listGateways: createUnaryHandler(log, async (): Promise<ListGatewaysResponse> => {
      const { version, gateways } = await fleet.view();
      return { version, gateways: gateways.map((gateway) => toGateway(gateway, now())) };
    }),
    restoreConfiguration: changes.handler(Methods.restoreConfiguration, {
      run: async ({ validateOnly }: RestoreConfigurationRequest) => ({
        restored: !validateOnly && (await fleet.restore()),
      }),
      repeat: () => ({ restored: false }),
    }),
    waitForVersion: createUnaryHandler(log, (request: WaitForVersionRequest) => waitForVersion(fleet, now, request)),
  };
}

async function waitForVersion(
  fleet: FleetSource,
  now: () => number,
  { version: asked, timeout }: WaitForVersionRequest,
): Promise<WaitForVersionResponse> {
  const deadline = now() + (timeout === undefined ? DEFAULT_TIMEOUT_MS : durationToMs(timeout));
  let view = await fleet.view();
  const version = asked === 0 ? view.version : asked;
  for (;;) {
    const missing = view.gateways.filter((gateway) => gateway.version < version);
    // One that does not live is named, not waited for.
    if (!missing.some(({ alive }) => alive) || now() >= deadline) {
      return { reached: missing.length === 0, version, missing: missing.map((gateway) => toGateway(gateway, now())) };
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    view = await fleet.view();
  }
}

function toGateway({ id, address, version, seenMsAgo, alive }: GatewayEntry, now: number): Gateway {
  return { id, address, version, lastSeen: new Date(now - seenMsAgo), alive };
}
