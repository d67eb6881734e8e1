/** Milliseconds of the machine's monotonic clock: processes can compare theirs, as they cannot with `performance.now()`. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
