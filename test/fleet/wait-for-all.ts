import { FleetServiceService, type WaitForVersionResponse } from '../../generated/tollgate/admin/v1/fleet.ts';
import type { AdminClient } from '../support/admin-client.ts';

/** What was written before is everywhere, or who has not said so by then. */
export function waitForAll(admin: AdminClient, seconds = 10): Promise<WaitForVersionResponse> {
  return admin.call(FleetServiceService.waitForVersion, { version: 0, timeout: { seconds, nanos: 0 } });
}
