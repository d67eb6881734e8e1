import { Counter, Part } from './counters.ts';

/** A family of metrics of calls, by tenant and method; `calls` by status, too. */
export interface Family {
  /** Without `_total`. */
  readonly name: string;
  readonly kind: 'counter';
  readonly help: string;
  readonly counter: Counter;
}

export const FAMILIES: readonly Family[] = [
  { name: 'tollgate_calls', kind: 'counter', counter: Counter.CALLS, help: 'Calls that have ended.' },
  {
    name: 'tollgate_request_messages',
    kind: 'counter',
    counter: Counter.REQUEST_MESSAGES,
    help: 'Messages from clients.',
  },
  {
    name: 'tollgate_response_messages',
    kind: 'counter',
    counter: Counter.RESPONSE_MESSAGES,
    help: 'Messages from backends.',
  },
  {
    name: 'tollgate_request_bytes',
    kind: 'counter',
    counter: Counter.REQUEST_OCTETS,
    help: 'Bytes of messages from clients, with their prefixes.',
  },
  {
    name: 'tollgate_response_bytes',
    kind: 'counter',
    counter: Counter.RESPONSE_OCTETS,
    help: 'Bytes of messages from backends, with their prefixes.',
  },
];

/** Histograms by method. */
export const HISTOGRAMS: readonly { readonly part: Part; readonly name: string; readonly help: string }[] = [
  {
    part: Part.TOTAL,
    name: 'tollgate_call_duration_seconds',
    help: 'Time of calls, from the headers of the request to the end.',
  },
  {
    part: Part.BACKEND,
    name: 'tollgate_backend_duration_seconds',
    help: "The backend's part: from when the request was handed to its connection to the end.",
  },
  {
    part: Part.GATEWAY,
    name: 'tollgate_gateway_duration_seconds',
    help: "The gateway's own part of the time of calls, with what it had to wait for.",
  },
];
