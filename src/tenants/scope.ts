/** What a scope looks like, in keys, certificates, tokens and policies. */
export const SCOPE: RegExp = /^[A-Za-z0-9][A-Za-z0-9._:/*-]{0,127}$/;

/** Scopes of the gateway's own services begin so. */
export const OWN_SCOPES = 'tollgate.';
