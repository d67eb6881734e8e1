import { UnreadableRecord } from '../store/redis/records.ts';
import { StoreUnavailable } from '../store/store-errors.ts';
import { UnreadableDocument } from './unreadable-document.ts';

/** Redis is at a version before ours, or at ours with another history. */
export class StoreBehind extends Error {
  constructor(version: number, ours: number) {
    super(`Redis has lost configuration: it is at version ${version}, this gateway at ${ours}`);
    this.name = 'StoreBehind';
  }
}

/** What Redis has is damaged, or too large. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof UnreadableRecord || error instanceof UnreadableDocument;
}

/** What may happen to Redis; anything else is a fault of ours. */
export function isExpected(error: unknown): error is Error {
  return isRefusal(error) || error instanceof StoreUnavailable || error instanceof StoreBehind;
}
