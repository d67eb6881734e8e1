/**
 * Milliseconds that a decision waits, in all, for a store that answers: it may ask again, when others took what it waited for.
 * A store that is silent ends each wait by itself, much sooner.
 */
export const MAX_STORE_WAIT_MS = 100;

/**
 * Waits for a promise, but not for ever.
 * @param ms at most MAX_STORE_WAIT_MS; nothing is waited for when it is not above 0
 * @returns false when it has not ended in time. Rejects when the promise does before
 */
export async function endsWithin(promise: Promise<void>, ms: number): Promise<boolean> {
  if (ms <= 0) {
    promise.catch(() => {});
    return false;
  }
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, Math.min(ms, MAX_STORE_WAIT_MS), false);
  });
  try {
    return await Promise.race([promise.then(() => true), timeout]);
  } finally {
    clearTimeout(timer);
  }
}
