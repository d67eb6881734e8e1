const UNITS = ['', 'k', 'M', 'G', 'T'];

/** A number of things a second, as short as it can be read: `0.3`, `17`, `4.2k`. */
export function formatPerSecond(perSecond: number): string {
  let value = perSecond;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = value >= 9.95 || value === 0 || Number.isInteger(value) ? 0 : 1;
  return `${value.toFixed(digits)}${UNITS[unit]}`;
}

/** A time as people read it. @param ms milliseconds */
export function formatDuration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return ms >= 1 ? `${ms.toFixed(ms < 10 ? 2 : 0)} ms` : `${Math.round(ms * 1000)} us`;
}
