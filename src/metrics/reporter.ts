import {
  GetMetricsResponse as Answer,
  BackendMetrics_BreakerState as BreakerState,
  type CallSeries,
  type GetMetricsRequest,
  GetMetricsRequest_Label,
  type GetMetricsResponse,
  Instrument_Kind,
  type LimitUse,
  GetMetricsRequest as Question,
  type StoreMetrics,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { SeriesEncoder } from './encode-series.ts';
import type { FloodCount } from './flood-counts.ts';
import type { BackendSnapshot, GatewayMetrics, Reading } from './gateway-metrics.ts';
import type { Instrument } from './instruments.ts';
import type { Label, SeriesQuery } from './query.ts';
import { DEFAULT_SERIES, rankOfGroup } from './rank.ts';
import { emptySeries, fromDuration, reportSeries } from './series-report.ts';
import { finish, Slices, type Steps } from './steps.ts';

const LABELS: ReadonlyMap<number, Label> = new Map([
  [GetMetricsRequest_Label.LABEL_TENANT, 'tenant'],
  [GetMetricsRequest_Label.LABEL_METHOD, 'method'],
  [GetMetricsRequest_Label.LABEL_STATUS, 'status'],
]);

const BREAKER_STATES = {
  closed: BreakerState.BREAKER_STATE_CLOSED,
  open: BreakerState.BREAKER_STATE_OPEN,
  half_open: BreakerState.BREAKER_STATE_HALF_OPEN,
} as const;

const KINDS = { counter: Instrument_Kind.KIND_COUNTER, gauge: Instrument_Kind.KIND_GAUGE } as const;

/** What a report says beside calls. */
export interface ReportParts {
  readonly metrics: GatewayMetrics;
  /** Limits that peers broke. */
  readonly floods: () => readonly FloodCount[];
  readonly store: () => StoreMetrics | undefined;
  /** The most used first. @param tenantId of this tenant only */
  readonly limits: (tenantId: string | undefined) => LimitUse[];
  /** Of this gateway. The address may become known after the start. */
  readonly id: string;
  readonly address: () => string;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Who reads: `tenant` sees nothing of the gateway, and its question must name it. */
export type Audience = 'administrator' | 'tenant';

/** A report, and from where the next one goes on. */
export interface LocalReport {
  readonly response: GetMetricsResponse;
  readonly cursor: number;
  readonly sinceStart: boolean;
}

/** One that others may be told, too: the octets of the response, and nothing that would have to live as long as they do. */
export interface SharedReport extends Omit<LocalReport, 'response'> {
  readonly encoded: Uint8Array;
}

/** Answers questions about this gateway. */
export class Reporter {
  readonly #parts: ReportParts;
  /** What those who follow were told of the last frame, by question: who asks the same is told the same object. */
  readonly #told = new Map<string, LocalReport>();
  readonly #followed = new Map<string, Promise<SharedReport>>();
  #toldFrame = -1;
  /** A watcher asks the same each time. */
  readonly #keys = new WeakMap<GetMetricsRequest, string>();
  readonly #slices: Slices;

  constructor(parts: ReportParts) {
    this.#parts = parts;
    this.#slices = new Slices(parts.now);
  }

  get address(): string {
    return this.#parts.address();
  }

  get id(): string {
    return this.#parts.id;
  }

  /** @param cursor of an earlier report: only what was counted since */
  report(request: GetMetricsRequest, audience: Audience, cursor?: number): LocalReport {
    if (cursor === undefined) return this.#make(request, audience, undefined);
    const key = this.#keyAt(request, audience, cursor);
    let report = this.#told.get(key);
    if (report === undefined) {
      report = this.#make(request, audience, cursor);
      this.#told.set(key, report);
    }
    return report;
  }

  /**
   * As `report`, but read, made and encoded in slices, with calls in between: a thousand series take ten milliseconds. Who asks
   * the same at the same time is told the same octets.
   * @param cursor undefined: all since the start, up to a moment ago
   */
  follow(request: GetMetricsRequest, audience: Audience, cursor: number | undefined): Promise<SharedReport> {
    const key = this.#keyAt(request, audience, cursor);
    let report = this.#followed.get(key);
    if (report === undefined) {
      report = this.#makeInSlices(request, audience, cursor);
      this.#followed.set(key, report);
    }
    return report;
  }

  /** The key of a question at the last frame, which is new enough; of those before nothing is kept. */
  #keyAt(request: GetMetricsRequest, audience: Audience, cursor: number | undefined): string {
    const { metrics } = this.#parts;
    metrics.refresh();
    const frame = metrics.table.log.last;
    if (frame !== this.#toldFrame) {
      this.#told.clear();
      this.#followed.clear();
    }
    this.#toldFrame = frame;
    return `${audience} ${cursor ?? 'start'} ${this.#keyOf(request)}`;
  }

  #keyOf(request: GetMetricsRequest): string {
    let key = this.#keys.get(request);
    if (key === undefined) {
      key = Buffer.from(Question.encode(request).finish()).toString('latin1');
      this.#keys.set(request, key);
    }
    return key;
  }

  #make(request: GetMetricsRequest, audience: Audience, cursor: number | undefined): LocalReport {
    const reading = finish(this.#read(request, cursor));
    const series = reading.order.map((group) => reportSeries(reading, group, request.withHistograms));
    return finish(this.#tell(request, audience, reading, series));
  }

  async #makeInSlices(
    request: GetMetricsRequest,
    audience: Audience,
    cursor: number | undefined,
  ): Promise<SharedReport> {
    const { table } = this.#parts.metrics;
    // From here on it is known up to which frame is read.
    const isDelta = cursor !== undefined && table.log.has(cursor);
    const steps = this.#encodeInSteps(request, audience, this.#read(request, cursor));
    const { counted } = table;
    // What is read may change meanwhile: the totals with every call that is counted, the log when it comes round.
    const isVain = () => (isDelta ? !table.log.has(cursor) : table.counted !== counted);
    const done = isDelta ? undefined : this.#parts.metrics.keepTotals();
    const report = await this.#slices.run(steps, isVain).finally(done);
    return report ?? encode(this.#make(request, audience, cursor));
  }

  *#encodeInSteps(request: GetMetricsRequest, audience: Audience, reading: Steps<Reading>): Steps<SharedReport> {
    const read = yield* reading;
    const encoder = new SeriesEncoder(read.order.length);
    const series = emptySeries();
    for (const group of read.order) {
      encoder.encode(reportSeries(read, group, request.withHistograms, series));
      yield;
    }
    const { response, ...report } = yield* this.#tell(request, audience, read, []);
    yield;
    return { ...report, encoded: encoder.finish(Answer.encode(response).finish()) };
  }

  *#tell(request: GetMetricsRequest, audience: Audience, reading: Reading, series: CallSeries[]): Steps<LocalReport> {
    const limits = this.#parts.limits(request.tenantId || undefined);
    yield;
    const gateway = audience === 'tenant' ? NOTHING_ELSE : yield* this.#gateway();
    const response: GetMetricsResponse = {
      series,
      startTime: new Date(reading.startTime),
      endTime: new Date(reading.endTime),
      omittedSeries: reading.omitted,
      ...gateway,
      limits,
    };
    return { response, cursor: reading.cursor, sinceStart: reading.sinceStart };
  }

  #read(request: GetMetricsRequest, cursor: number | undefined): Steps<Reading> {
    const { metrics } = this.#parts;
    const query = toQuery(request);
    if (cursor !== undefined) return metrics.since(query, cursor);
    if (request.window !== undefined) return metrics.window(query, fromDuration(request.window));
    return metrics.totals(query);
  }

  *#gateway(): Steps<Omit<GetMetricsResponse, 'series' | 'startTime' | 'endTime' | 'omittedSeries' | 'limits'>> {
    const { metrics, floods, store, id, address } = this.#parts;
    const instruments: ReturnType<typeof reportInstrument>[] = [];
    for (const instrument of metrics.instruments.list()) {
      instruments.push(reportInstrument(instrument));
      yield;
    }
    return {
      refusals: Object.fromEntries(metrics.refusals()),
      backends: metrics.backends().map(reportBackend),
      floods: [...floods()],
      store: store(),
      foldedSeries: metrics.table.foldedSeries,
      gateways: [{ id, address: address(), answered: true }],
      instruments,
    };
  }
}

/** For a tenant, in place of what an answer says of the gateway. A field that is new in the answer has to be decided on here. */
export const NOTHING_ELSE: Omit<GetMetricsResponse, 'series' | 'startTime' | 'endTime' | 'omittedSeries' | 'limits'> = {
  refusals: {},
  backends: [],
  floods: [],
  store: undefined,
  foldedSeries: 0,
  gateways: [],
  instruments: [],
};

function encode({ response, ...report }: LocalReport): SharedReport {
  return { ...report, encoded: Answer.encode(response).finish() };
}

function toQuery(request: GetMetricsRequest): SeriesQuery {
  const groupBy = request.groupBy.map((label) => LABELS.get(label)).filter((label) => label !== undefined);
  return {
    tenantId: request.tenantId || undefined,
    method: request.method || undefined,
    status: request.status || undefined,
    groupBy: groupBy.length === 0 ? undefined : groupBy,
    limit: request.limit || DEFAULT_SERIES,
    rank: rankOfGroup(request.orderBy),
  };
}

function reportBackend({ name, breaker, outstanding, ...counts }: BackendSnapshot) {
  return { backend: name, breaker: BREAKER_STATES[breaker], outstandingCalls: outstanding, ...counts };
}

function reportInstrument({ name, help, kind, labels, read }: Instrument) {
  const samples = [...read()].map((sample) => ({ values: [...sample.labels], value: sample.value }));
  return { name, help, kind: KINDS[kind], labels: [...labels], samples };
}
