import { createHash, randomUUID } from 'node:crypto';
import {
  type AdjustQuotaRequest,
  type GetUsageRequest,
  UsageServiceService as Methods,
  type UsageServiceServer,
} from '../../generated/tollgate/admin/v1/usage.ts';
import type { Logger } from '../telemetry/logger.ts';
import { InvalidArgument } from '../tenants/errors.ts';
import type { Changes } from './changes.ts';
import { tenantFor } from './self-service.ts';
import { createUnaryHandler } from './unary-handler.ts';
import { TenantUsage, type UsageSource } from './usage/tenant-usage.ts';

/** `tollgate.admin.v1.UsageService`. */
export function createUsageService(source: UsageSource, changes: Changes, log: Logger): UsageServiceServer {
  const usage = new TenantUsage(source);
  const find = ({ tenantId, metric, period }: AdjustQuotaRequest) => usage.find(tenantId, metric, period);
  return {
    getUsage: createUnaryHandler(log, (request: GetUsageRequest, caller) => {
      const tenantId = tenantFor(caller, request.tenantId);
      if (tenantId === '') throw new InvalidArgument('tenant_id', 'is missing');
      return usage.get(tenantId, request.fleet);
    }),
    adjustQuota: changes.handler(Methods.adjustQuota, {
      async run(request: AdjustQuotaRequest, { principalId }) {
        const quota = find(request);
        if (request.validateOnly) return usage.standing(quota, request.units);
        await usage.adjust(quota, request.units, keyOf(request, principalId));
        return usage.standing(quota);
      },
      repeat: (request) => usage.standing(find(request)),
    }),
  };
}

/** Names the adjustment in the counter itself: should the gateway die before it remembers the request, it is made once. */
function keyOf({ requestId }: AdjustQuotaRequest, principalId: string): string {
  if (requestId === undefined || requestId === '') return randomUUID();
  return createHash('sha256')
    .update(JSON.stringify([principalId, requestId]))
    .digest('base64url');
}
