/** Whose bucket it is. */
export interface BucketOwner {
  readonly tenantId: string;
  /** Undefined: the tenant's own; else that of one of its keys. */
  readonly keyId: string | undefined;
}

/** As stores know it. Names of limits have no `@`. */
export function bucketName({ tenantId, keyId }: BucketOwner, limit: string): string {
  return keyId === undefined ? `${tenantId}/${limit}` : `${tenantId}/${limit}@${keyId}`;
}
