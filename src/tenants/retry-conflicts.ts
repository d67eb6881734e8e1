import { VersionConflict } from '../store/store.ts';

/** As often gateways that start at once may get in each other's way. */
const ATTEMPTS = 20;

/** Writes anew what another gateway has written meanwhile: what is so already is not written again. */
export async function retryConflicts(write: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await write();
    } catch (error) {
      if (!(error instanceof VersionConflict) || attempt === ATTEMPTS) throw error;
    }
  }
}
