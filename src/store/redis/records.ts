import { type Change, type Document, type DocumentKind, isDocumentKind } from '../store.ts';

/** Larger ones are refused: a document is what a person says of a tenant, a plan, a key, a backend or a contract. */
export const MAX_BODY_OCTETS = 1024 * 1024;

/** Thrown when what Redis holds is none of ours, or damaged. */
export class UnreadableRecord extends Error {
  constructor(what: string, cause?: unknown) {
    super(`${what} in Redis cannot be read`, { cause });
    this.name = 'UnreadableRecord';
  }
}

/** A change, with what chains it to the one before: each has a nonce, and names that of its predecessor. */
export interface ChainedChange {
  readonly change: Change;
  readonly nonce: string;
  readonly prev: string;
}

/** Reads a record of `{cfg}:documents`. @throws UnreadableRecord */
export function parseDocument(kind: DocumentKind, id: string, text: string): Document {
  return toDocument(kind, id, parseJson(`the ${kind} ${id}`, text));
}

/** The other way round; what is undefined is left out. */
export function toRecord(document: Document): object {
  const { version: v, createdAt: c, updatedAt: u, hash: h, parent: p, reference: r, body } = document;
  return { v, c, u, h, p, r, b: Buffer.from(body).toString('base64') };
}

/** Reads the entries of a change. @throws UnreadableRecord */
export function parseChange(version: number, text: string): Change {
  const what = `the change ${version}`;
  const entries = parseJson(what, text);
  if (!Array.isArray(entries)) throw new UnreadableRecord(what);
  const documents: Document[] = [];
  const deleted: { kind: DocumentKind; id: string; hash: string | undefined }[] = [];
  const hashes = new Set<string>();
  for (const entry of entries) {
    if (!isObject(entry) || !isDocumentKind(entry.k) || typeof entry.i !== 'string') throw new UnreadableRecord(what);
    const oldHash = optionalText(entry.o, what);
    const document = entry.d === undefined ? undefined : toDocument(entry.k, entry.i, entry.d);
    if (document === undefined) deleted.push({ kind: entry.k, id: entry.i, hash: oldHash });
    else documents.push(document);
    if (document?.hash !== undefined) hashes.add(document.hash);
    if (oldHash !== undefined) hashes.add(oldHash);
  }
  return { version, documents, deleted, hashes: [...hashes] };
}

function toDocument(kind: DocumentKind, id: string, record: unknown): Document {
  const what = `the ${kind} ${id}`;
  if (!isObject(record)) throw new UnreadableRecord(what);
  const { v, c, u, b } = record;
  if (!isCount(v) || !isCount(c) || !isCount(u) || typeof b !== 'string') throw new UnreadableRecord(what);
  if (b.length > (MAX_BODY_OCTETS * 4) / 3 + 4) throw new UnreadableRecord(`${what} (too large)`);
  return {
    kind,
    id,
    version: v,
    createdAt: c,
    updatedAt: u,
    body: new Uint8Array(Buffer.from(b, 'base64')),
    hash: optionalText(record.h, what),
    parent: optionalText(record.p, what),
    reference: optionalText(record.r, what),
  };
}

function parseJson(what: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UnreadableRecord(what, error);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function optionalText(value: unknown, what: string): string | undefined {
  if (value !== undefined && typeof value !== 'string') throw new UnreadableRecord(what);
  return value;
}
