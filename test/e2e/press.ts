import { type EverythingMethod, everythingPath } from '../support/everything-methods.ts';
import { H2Client } from '../support/h2-client.ts';

export interface Pressed {
  /** Calls by gRPC status; -1 is a call that the connection did not survive. */
  readonly byStatus: ReadonlyMap<number, number>;
  /** From the first call to the end of the last, in seconds. */
  readonly seconds: number;
}

/**
 * Calls as fast as the gateway answers, with so many calls under way at once, until `done` says so.
 * @param done asked before each call
 */
export async function press(
  port: number,
  key: string,
  options: {
    atOnce: number;
    done: (made: number, byStatus: ReadonlyMap<number, number>) => boolean;
    method?: EverythingMethod;
  },
): Promise<Pressed> {
  const client = await H2Client.connect(`http://127.0.0.1:${port}`);
  const path = everythingPath(options.method ?? 'Unary');
  const byStatus = new Map<number, number>();
  let made = 0;
  const startedAt = performance.now();
  const worker = async (): Promise<void> => {
    while (!options.done(made, byStatus)) {
      made++;
      const code = await client.grpc(path, key).catch(() => -1);
      byStatus.set(code, (byStatus.get(code) ?? 0) + 1);
      if (code === -1) return;
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, worker));
  const seconds = (performance.now() - startedAt) / 1_000;
  client.close();
  return { byStatus, seconds };
}
