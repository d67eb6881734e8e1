import type { Outcome } from '../chain/call.ts';

/** Counters of a series, which stand side by side in one array. */
export const Counter = {
  CALLS: 0,
  REQUEST_MESSAGES: 1,
  RESPONSE_MESSAGES: 2,
  REQUEST_OCTETS: 3,
  RESPONSE_OCTETS: 4,
  /** Sums of latencies, milliseconds. */
  TOTAL_MS: 5,
  BACKEND_MS: 6,
  GATEWAY_MS: 7,
} as const;
export type Counter = (typeof Counter)[keyof typeof Counter];
export const COUNTERS = 8;

/** Histograms of a series. */
export const Part = {
  /** From the request's headers to the end of the call. */
  TOTAL: 0,
  /** From when the request was handed to the backend's connection to the end. Calls that reached none have no such part. */
  BACKEND: 1,
  /** The rest: the chain, with what it had to wait for. */
  GATEWAY: 2,
} as const;
export type Part = (typeof Part)[keyof typeof Part];
export const ALL_PARTS = Object.values(Part);
export const PARTS = ALL_PARTS.length;

/**
 * One more histogram, of calls whose backend had all of their time, as it has of nearly all: a one in it stands for one in the same
 * bucket of TOTAL and of BACKEND, and one in the first of GATEWAY. It is a third of the work, and of the memory that is touched.
 */
export const WHOLE = 3;
export type Histogram = Part | typeof WHOLE;
export const ALL_HISTOGRAMS: readonly Histogram[] = [...ALL_PARTS, WHOLE];

export type PartVisitor = (part: Part, bucket: number, count: number) => void;

/** Visits what a count in a histogram means for its parts. @param bucket or its octave: the first bucket is in the first */
export function visitParts(histogram: Histogram, bucket: number, count: number, visit: PartVisitor): void {
  if (histogram !== WHOLE) {
    visit(histogram, bucket, count);
    return;
  }
  visit(Part.TOTAL, bucket, count);
  visit(Part.BACKEND, bucket, count);
  visit(Part.GATEWAY, 0, count);
}

/** What is counted of one call: part of its `Outcome`. */
export type CallFacts = Pick<Outcome, 'durationMs' | 'backendMs' | 'traffic'>;
