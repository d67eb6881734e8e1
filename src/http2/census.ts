/**
 * Counts connections, all and by where they come from, against limits. An IPv6 source is its /64: that is what one customer
 * of a network gets, and addresses within it cost nothing.
 */
export class Census {
  readonly #max: number;
  readonly #maxOfSource: number;
  readonly #sources = new Map<string, number>();
  #count = 0;

  constructor(max: number, maxOfSource: number) {
    this.#max = max;
    this.#maxOfSource = maxOfSource;
  }

  /** A connection comes. @returns which limit refuses it, or undefined: then `leave` must follow. */
  enter(address: string): 'connections' | 'connections_of_source' | undefined {
    if (this.#count >= this.#max) return 'connections';
    const source = sourceOf(address);
    const known = this.#sources.get(source) ?? 0;
    if (known >= this.#maxOfSource) return 'connections_of_source';
    this.#count++;
    this.#sources.set(source, known + 1);
    return undefined;
  }

  leave(address: string): void {
    const source = sourceOf(address);
    const known = this.#sources.get(source) ?? 0;
    this.#count--;
    if (known > 1) this.#sources.set(source, known - 1);
    else this.#sources.delete(source);
  }
}

/** The address, or of an IPv6 address the first four groups. */
export function sourceOf(address: string): string {
  if (!address.includes(':')) return address;
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice(7);
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const behind = tail === '' ? [] : tail.split(':');
    while (groups.length + behind.length < 8) groups.push('0');
    groups.push(...behind);
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
