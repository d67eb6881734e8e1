import { createFileRegistry, fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js';
import { ChannelzService } from '../../generated/grpc/channelz/v1/channelz.ts';
import { HealthService } from '../../generated/grpc/health/v1/health.ts';
import { ServerReflectionService } from '../../generated/grpc/reflection/v1/reflection.ts';
import { ServerReflectionService as ServerReflectionServiceAlpha } from '../../generated/grpc/reflection/v1alpha/reflection.ts';
import { ApiKeyServiceService } from '../../generated/tollgate/admin/v1/api_key.ts';
import { AuditServiceService } from '../../generated/tollgate/admin/v1/audit.ts';
import { BackendServiceService } from '../../generated/tollgate/admin/v1/backend.ts';
import { BreakerServiceService } from '../../generated/tollgate/admin/v1/breaker.ts';
import { ContractServiceService } from '../../generated/tollgate/admin/v1/contract.ts';
import { DecisionServiceService } from '../../generated/tollgate/admin/v1/decision.ts';
import { DiagnosticsServiceService } from '../../generated/tollgate/admin/v1/diagnostics.ts';
import { FleetServiceService } from '../../generated/tollgate/admin/v1/fleet.ts';
import { PlanServiceService } from '../../generated/tollgate/admin/v1/plan.ts';
import { TenantServiceService } from '../../generated/tollgate/admin/v1/tenant.ts';
import { UsageServiceService } from '../../generated/tollgate/admin/v1/usage.ts';
import { MetricsServiceService } from '../../generated/tollgate/metrics/v1/metrics.ts';
import type { BreakerAdmin } from '../breaker/breaker-admin.ts';
import { readOwnDescriptors } from '../contracts/builtin.ts';
import type { DirectAnswers } from '../routing/direct-answers.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { TenantManager } from '../tenants/tenant-manager.ts';
import { createAccessInterceptor } from './access-interceptor.ts';
import { createApiKeyService } from './api-key-service.ts';
import type { ChangelogSource } from './audit/watch.ts';
import { createAuditInterceptor } from './audit-interceptor.ts';
import { createAuditService } from './audit-service.ts';
import { createBackendService } from './backend-service.ts';
import { createBreakerService } from './breaker-service.ts';
import type { Changes } from './changes.ts';
import { ChannelzRegistry, type ChannelzSource } from './channelz/registry.ts';
import { createChannelzService } from './channelz/service.ts';
import { createContractService } from './contract-service.ts';
import type { EvidenceSource } from './decision/evidence.ts';
import type { DecisionSource } from './decision/explain.ts';
import { createDecisionService } from './decision-service.ts';
import { createDiagnosticsService, type DiagnosticsSource } from './diagnostics-service.ts';
import { createFleetService, type FleetSource } from './fleet-service.ts';
import type { Health } from './health.ts';
import { createHealthService } from './health-service.ts';
import { createMetricsService, type MetricsSource } from './metrics-service.ts';
import { createPlanService } from './plan-service.ts';
import { createPrivateSocket } from './private-socket.ts';
import { createReflectionService } from './reflection/reflection-service.ts';
import { createTenantService } from './tenant-service.ts';
import type { UsageSource } from './usage/tenant-usage.ts';
import { createUsageService } from './usage-service.ts';
import { createValidationInterceptor } from './validate-request.ts';
import { type ContractSource, createVisibleContracts, type IsAllowed } from './visible-contracts.ts';

export interface ControlServerOptions {
  readonly tenants: TenantManager;
  readonly changes: Changes;
  /** What was changed, and by whom. */
  readonly changelog: ChangelogSource;
  readonly metrics: MetricsSource;
  readonly direct: DirectAnswers;
  readonly usage: UsageSource;
  readonly decisions: DecisionSource & EvidenceSource;
  readonly breakers: BreakerAdmin;
  readonly fleet: FleetSource;
  readonly diagnostics: DiagnosticsSource;
  readonly channelz: ChannelzSource;
  /** Milliseconds of the Unix epoch. */
  readonly now: () => number;
  /** By name, those of the gateway itself (`tollgate`, `health`, `reflection`) among them. Asked anew for each call. */
  readonly contracts: ContractSource;
  /** What reflection shows a tenant; everything when absent. */
  readonly isAllowed?: IsAllowed | undefined;
  readonly health: Health;
  readonly log: Logger;
  /** Where the socket's folder may be made, in order of preference. */
  readonly socketFolders: readonly string[];
}

export interface ControlServer {
  /** Of the Unix socket that it listens on. */
  readonly path: string;
  /**
   * Says NOT_SERVING, lets running calls end for at most `graceMs` milliseconds (default 0), removes the socket. Watches
   * of health and open reflection streams count as running: they end with the grace.
   */
  stop(graceMs?: number): Promise<void>;
}

/**
 * Starts the gateway's own services on a Unix socket that only this user's processes reach: callers come through the
 * gateway, which has authenticated them and says who they are.
 *
 * @throws when no socket can be made
 */
export async function startControlServer(options: ControlServerOptions): Promise<ControlServer> {
  const services = createServices(options);
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readOwnDescriptors()));
  const definitions = services.map(([definition]) => definition);
  const server = new Server({
    interceptors: [
      createAuditInterceptor(options.changes.audit, options.log),
      createAccessInterceptor(options.contracts, options.log),
      createValidationInterceptor(definitions, registry, options.log),
    ],
  });
  options.changes.checkComplete(definitions.flatMap((service) => Object.values(service).map(({ path }) => path)));
  for (const [definition, implementation] of services) server.addService(definition, implementation);

  const socket = await createPrivateSocket(options.socketFolders);
  try {
    await bind(server, `unix:${socket.path}`);
  } catch (error) {
    await socket.remove();
    throw error;
  }
  return {
    path: socket.path,
    async stop(graceMs = 0) {
      options.health.drain();
      await shutDown(server, graceMs);
      await socket.remove();
    },
  };
}

function createServices(options: ControlServerOptions): [ServiceDefinition, UntypedServiceImplementation][] {
  const { tenants, changes, metrics, breakers, fleet, now, health, log } = options;
  const visibleTo = createVisibleContracts(options.contracts, options.isAllowed);
  const reflection = createReflectionService(visibleTo);
  return [
    [TenantServiceService, createTenantService(tenants, changes, options.decisions, log)],
    [PlanServiceService, createPlanService(tenants, changes, options.decisions, log)],
    [BackendServiceService, createBackendService(tenants, changes, log)],
    [ContractServiceService, createContractService(tenants, changes, options.decisions, log)],
    [ApiKeyServiceService, createApiKeyService(tenants, changes, log)],
    [MetricsServiceService, createMetricsService(metrics, options.direct, health, log)],
    [BreakerServiceService, createBreakerService(breakers, changes, now, log)],
    [UsageServiceService, createUsageService(options.usage, changes, log)],
    [DecisionServiceService, createDecisionService(options.decisions, log)],
    [AuditServiceService, createAuditService(options.changelog, log)],
    [FleetServiceService, createFleetService(fleet, changes, now, log)],
    [DiagnosticsServiceService, createDiagnosticsService(options.diagnostics, log)],
    [ChannelzService, createChannelzService(new ChannelzRegistry(options.channelz), log)],
    [HealthService, createHealthService(health, visibleTo, log)],
    [ServerReflectionService, reflection],
    [ServerReflectionServiceAlpha, reflection],
  ];
}

function bind(server: Server, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
  });
}

function shutDown(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.forceShutdown(), graceMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
