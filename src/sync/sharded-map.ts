/** A power of two. With 100,000 entries a change copies this array and a shard of about 50, some microseconds. */
const SHARDS = 2048;

type Shard<V> = ReadonlyMap<string, V>;

/** An immutable map in shards by a hash of the key; a changed map shares every shard that did not change. */
export class ShardedMap<V> {
  readonly size: number;
  readonly #shards: readonly Shard<V>[];

  private constructor(shards: readonly Shard<V>[], size: number) {
    this.#shards = shards;
    this.size = size;
  }

  static empty<V>(): ShardedMap<V> {
    return new ShardedMap(new Array<Shard<V>>(SHARDS).fill(new Map()), 0);
  }

  get(key: string): V | undefined {
    return this.#shards[shardOf(key)]!.get(key);
  }

  /** Many at once, each shard copied at most once. Removals come first. */
  change(put: Iterable<readonly [string, V]>, remove: Iterable<string>): ShardedMap<V> {
    const shards = this.#shards.slice();
    const own = new Map<number, Map<string, V>>();
    const writable = (index: number): Map<string, V> => {
      let shard = own.get(index);
      if (shard === undefined) {
        shard = new Map(shards[index]);
        own.set(index, shard);
        shards[index] = shard;
      }
      return shard;
    };
    let size = this.size;
    for (const key of remove) {
      const index = shardOf(key);
      if (shards[index]!.has(key) && writable(index).delete(key)) size--;
    }
    for (const [key, value] of put) {
      const index = shardOf(key);
      if (!shards[index]!.has(key)) size++;
      writable(index).set(key, value);
    }
    return own.size === 0 ? this : new ShardedMap(shards, size);
  }
}

/** FNV-1a, 32 bits, folded. Keys are an admin's choice, not a stranger's: a hash that nobody attacks. */
function shardOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash ^ (hash >>> 15)) & (SHARDS - 1);
}
