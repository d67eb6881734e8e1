import type { StreamHandler } from './stream.ts';

/** For streams that nobody listens to: takes what comes, so that windows stay open, and does nothing. */
export const IGNORE_EVENTS: StreamHandler = {
  onHeaders: () => {},
  onData: (stream, _buffer, start, end) => stream.consume(end - start),
  onTrailers: () => {},
  onSent: () => {},
  onReset: () => {},
};
