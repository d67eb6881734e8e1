import { LOADS } from '../loads.ts';
import { type Bench, measure, type Target } from '../measure.ts';
import { median } from '../table.ts';
import { keyOf, type Scale } from './scale-store.ts';

export interface RatioJob {
  readonly bench: Bench;
  readonly slices: number;
  readonly requests: number;
}

/** Slices that count for nothing: code is compiled and caches fill. */
const WARM_UP = 4;

/** CPU microseconds for each call, in slices that take turns; the ratio is the median of those of neighbours. */
export async function measureRatio(
  { bench, slices, requests }: RatioJob,
  { small, large }: Readonly<Record<'small' | 'large', readonly [Target, readonly string[]]>>,
): Promise<{ readonly small: number; readonly large: number; readonly ratio: number }> {
  const load = LOADS.find(({ name }) => name === 'mixed-a');
  if (load === undefined) throw new Error('there is no load mixed-a');
  const cpu = async ([target, keys]: readonly [Target, readonly string[]]) =>
    (await measure(bench, target, load, keys, requests)).cpuMicrosPerRequest;
  const samples: { readonly small: number; readonly large: number }[] = [];
  for (let slice = -WARM_UP; slice < slices; slice += 1) {
    // Who is first takes turns, too.
    const first = slice % 2 === 0 ? await cpu(small) : undefined;
    const many = await cpu(large);
    const few = first ?? (await cpu(small));
    if (slice >= 0) samples.push({ small: few, large: many });
  }
  return {
    small: median(samples.map((sample) => sample.small)),
    large: median(samples.map((sample) => sample.large)),
    ratio: median(samples.map((sample) => sample.large / sample.small)),
  };
}

/** So many keys of so many tenants, spread evenly over all there are. */
export function keysOf({ tenants }: Scale, callingTenants: number, keysOfEach: number): string[] {
  return Array.from({ length: callingTenants * keysOfEach }, (_, caller) => {
    const tenant = Math.floor(((caller % callingTenants) * tenants) / callingTenants);
    return keyOf(tenant, Math.floor(caller / callingTenants)).text;
  });
}
