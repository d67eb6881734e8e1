import { InvalidArgument } from './errors.ts';

/**
 * The fields that an update changes.
 * @param mask paths as protobuf names them; all that may be changed when absent, empty, or `*`
 * @throws InvalidArgument naming those that may be changed
 */
export function maskedFields<F extends string>(
  mask: readonly string[] | undefined,
  fields: readonly F[],
): ReadonlySet<F> {
  if (mask === undefined || mask.length === 0 || (mask.length === 1 && mask[0] === '*')) return new Set(fields);
  const chosen = new Set<F>();
  for (const path of mask) {
    const field = fields.find((name) => name === path);
    if (field === undefined) {
      throw new InvalidArgument('update_mask', `"${path}" cannot be updated; what can: ${fields.join(', ')}`);
    }
    chosen.add(field);
  }
  return chosen;
}
