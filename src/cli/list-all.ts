/** A page as the admin services give it. */
interface Page<T> {
  readonly items: readonly T[];
  /** Empty on the last page. */
  readonly nextPageToken: string;
}

/** The services give at most this many at once. */
const PAGE_SIZE = 1000;

/**
 * Reads page after page until `limit` items are there.
 *
 * @returns the items, and whether there are more
 */
export async function listAll<T>(
  limit: number,
  readPage: (pageSize: number, pageToken: string) => Promise<Page<T>>,
): Promise<{ items: T[]; more: boolean }> {
  const items: T[] = [];
  let token = '';
  do {
    const page = await readPage(Math.min(PAGE_SIZE, limit - items.length), token);
    items.push(...page.items);
    token = page.nextPageToken;
  } while (token !== '' && items.length < limit);
  return { items, more: token !== '' };
}
