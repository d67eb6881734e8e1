/** What of the machine's time an attack takes: nothing, as much CPU of the attacker but none of the gateway, or the attack. */
export type Slice = 'quiet' | 'elsewhere' | 'attacked';
export const SLICES: readonly Slice[] = ['quiet', 'elsewhere', 'attacked'];

/** Milliseconds that the bystander's calls took, and its echoes of a bare server that it made between them. */
export class Latencies {
  readonly #calls: Record<Slice, number[]> = { quiet: [], elsewhere: [], attacked: [] };
  readonly #echoes: Record<Slice, number[]> = { quiet: [], elsewhere: [], attacked: [] };
  failed = 0;

  add(slice: Slice, told: { calls?: readonly number[]; echoes?: readonly number[]; failed?: number }): void {
    this.#calls[slice].push(...(told.calls ?? []));
    this.#echoes[slice].push(...(told.echoes ?? []));
    this.failed += told.failed ?? 0;
  }

  callP99(slice: Slice): number {
    return p99(this.#calls[slice]);
  }

  echoP99(slice: Slice): number {
    return p99(this.#echoes[slice]);
  }
}

/** The 99th percentile; NaN of nothing. */
export function p99(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * 0.99)] ?? Number.NaN;
}
