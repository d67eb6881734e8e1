import type { ApiKey } from '../../../generated/tollgate/admin/v1/api_key.ts';
import type { ManifestTenant_Key as Entry } from '../../../generated/tollgate/config/v1/manifest.ts';

export interface PairedKeys {
  /** In the order of the file; without a key there is none yet. */
  readonly pairs: readonly { readonly entry: Entry; readonly key: ApiKey | undefined }[];
  /** Keys of which the file says nothing. */
  readonly others: readonly ApiKey[];
}

/**
 * Which key an entry of the file means: the one of its id; else one of its name, best one that is as the entry says, so that a
 * file with ids of another gateway means the same keys each time it is applied; else the newest of its name.
 *
 * @param keys of the tenant, the oldest first
 * @param isAlike whether a key of that name is what the entry would make
 */
export function pairKeys(
  entries: readonly Entry[],
  keys: readonly ApiKey[],
  isAlike: (entry: Entry, key: ApiKey) => boolean,
): PairedKeys {
  const free = new Map(keys.map((key) => [key.id, key]));
  const found = new Map<Entry, ApiKey>();
  const take = (entry: Entry, key: ApiKey | undefined): void => {
    if (key === undefined) return;
    free.delete(key.id);
    found.set(entry, key);
  };
  for (const entry of entries) if (entry.id !== '') take(entry, free.get(entry.id));
  for (const entry of entries) {
    if (!found.has(entry))
      take(
        entry,
        [...free.values()].find((key) => key.name === entry.name && isAlike(entry, key)),
      );
  }
  for (const entry of entries.toReversed()) {
    if (!found.has(entry))
      take(
        entry,
        [...free.values()].findLast(({ name }) => name === entry.name),
      );
  }
  return { pairs: entries.map((entry) => ({ entry, key: found.get(entry) })), others: [...free.values()] };
}
