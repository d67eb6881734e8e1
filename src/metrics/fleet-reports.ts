import { randomUUID } from 'node:crypto';
import {
  type GetMetricsRequest,
  GetMetricsResponse,
  GetMetricsRequest_Scope as Scope,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { Report, ReportRequest } from '../../generated/tollgate/metrics/v1/report.ts';
import { mergeReports } from './merge-reports.ts';
import { type Audience, NOTHING_ELSE, type Reporter } from './reporter.ts';

/** The gateways that share a store, and the way to ask them. */
export interface FleetChannel {
  /** Those that are alive, this one among them. */
  readonly gateways: readonly { readonly id: string; readonly address: string }[];
  /** Asks the others, and gives what came within the time: `count` answers at most. Never rejects. */
  ask(id: string, question: Uint8Array, count: number): Promise<Uint8Array[]>;
  /** Calls back on each question of another gateway; what is given is the answer. */
  onQuestion(answer: (question: Uint8Array) => { readonly id: string; readonly answer: Uint8Array } | undefined): void;
}

/** Series that a gateway tells another: those beyond are counted as omitted. */
const FLEET_SERIES = 10_000;

/** Where a watcher is, by gateway. */
export type Cursors = ReadonlyMap<string, number>;

export interface Progress {
  /** The answer (`GetMetricsResponse`); those who are told the same share the octets. */
  readonly encoded: Uint8Array;
  readonly cursors: Cursors;
  readonly sinceStart: boolean;
}

/** The answer of other gateways, or of many together. */
interface Told extends Omit<Progress, 'encoded'> {
  readonly response: GetMetricsResponse;
}

/** Calls of a tenant that run in the fleet, and the gateways that did not say how many there. */
export interface FleetRunning {
  readonly running: number;
  readonly silent: number;
}

/** Answers questions about this gateway, another one, or the fleet. */
export class FleetReports {
  readonly #reporter: Reporter;
  readonly #channel: FleetChannel | undefined;
  readonly #running: (tenantId: string) => number;
  /** Questions of this gateway that are under way: it hears them, too. */
  readonly #asking = new Set<string>();

  /**
   * @param channel undefined where a gateway is alone
   * @param running calls of a tenant that run here
   */
  constructor(reporter: Reporter, channel: FleetChannel | undefined, running: (tenantId: string) => number) {
    this.#reporter = reporter;
    this.#running = running;
    this.#channel = channel;
    channel?.onQuestion((question) => this.#answer(question));
  }

  async get(request: GetMetricsRequest, audience: Audience): Promise<GetMetricsResponse> {
    if (this.#isOwn(request)) return this.#reporter.report(request, audience).response;
    return (await this.#askFleet(request, audience, undefined)).response;
  }

  /** What was counted since the cursors were given. @param request without a window @param cursors empty: all since the start */
  async advance(request: GetMetricsRequest, audience: Audience, cursors: Cursors): Promise<Progress> {
    const { id } = this.#reporter;
    if (this.#isOwn(request)) {
      const { cursor, ...told } = await this.#reporter.follow(request, audience, cursors.get(id));
      return { ...told, cursors: new Map([[id, cursor]]) };
    }
    const { response, ...told } = await this.#askFleet(request, audience, cursors);
    return { ...told, encoded: GetMetricsResponse.encode(response).finish() };
  }

  /** Calls of a tenant that run, on this gateway and on those that answer in time. */
  async running(tenantId: string): Promise<FleetRunning> {
    const { id: ownId } = this.#reporter;
    const own = this.#running(tenantId);
    const others = this.#channel?.gateways.filter(({ id }) => id !== ownId) ?? [];
    if (this.#channel === undefined || others.length === 0) return { running: own, silent: 0 };
    const question = ReportRequest.fromPartial({ id: randomUUID(), runningOf: tenantId });
    const reports = await this.#askOthers(this.#channel, question, others.length);
    const known = new Map(reports.map(({ gatewayId, running }) => [gatewayId, running]));
    return {
      running: [...known.values()].reduce((sum, running) => sum + running, own),
      silent: others.filter(({ id }) => !known.has(id)).length,
    };
  }

  async #askOthers(channel: FleetChannel, question: ReportRequest, count: number): Promise<Report[]> {
    this.#asking.add(question.id);
    const answers = await channel.ask(question.id, ReportRequest.encode(question).finish(), count);
    this.#asking.delete(question.id);
    return answers.flatMap(decodeReport);
  }

  /** Whether the question is about this gateway alone. @throws UnknownGateway where it can be about no other */
  #isOwn({ gatewayId, scope }: GetMetricsRequest): boolean {
    if (gatewayId === '') return this.#channel === undefined || scope !== Scope.SCOPE_FLEET;
    if (gatewayId === this.#reporter.id) return true;
    if (this.#channel === undefined) throw new UnknownGateway(gatewayId);
    return false;
  }

  async #askFleet(request: GetMetricsRequest, audience: Audience, cursors: Cursors | undefined): Promise<Told> {
    const channel = this.#channel;
    const asked = channel?.gateways.filter((each) => request.gatewayId === '' || each.id === request.gatewayId) ?? [];
    if (channel === undefined || asked.length === 0) throw new UnknownGateway(request.gatewayId);
    return this.#ask(channel, asked, request, audience, cursors);
  }

  async #ask(
    channel: FleetChannel,
    asked: FleetChannel['gateways'],
    request: GetMetricsRequest,
    audience: Audience,
    cursors: Cursors | undefined,
  ): Promise<Told> {
    const whole = { ...request, withHistograms: true, limit: FLEET_SERIES };
    const { id: ownId } = this.#reporter;
    const others = asked.filter(({ id }) => id !== ownId);
    const question = ReportRequest.fromPartial({
      id: randomUUID(),
      query: whole,
      gatewayId: request.gatewayId,
      cursors: Object.fromEntries(cursors ?? []),
    });
    const reports = await this.#askOthers(channel, question, others.length);
    if (asked.some(({ id }) => id === ownId)) reports.push(this.#ownReport(whole, cursors?.get(ownId)));
    // One of them has forgotten too much: it tells all since its start, and so must the others.
    const isMixed = cursors !== undefined && reports.some((each) => each.sinceStart && cursors.has(each.gatewayId));
    if (isMixed) return this.#ask(channel, asked, request, audience, new Map());
    return combine(asked, reports, request, audience, cursors);
  }

  #ownReport(request: GetMetricsRequest, since: number | undefined): Report {
    const { id } = this.#reporter;
    const { response, cursor, sinceStart } = this.#reporter.report(request, 'administrator', since);
    return { gatewayId: id, address: this.#reporter.address, metrics: response, cursor, sinceStart, running: 0 };
  }

  #answer(question: Uint8Array): { readonly id: string; readonly answer: Uint8Array } | undefined {
    const { id, query, gatewayId, cursors, runningOf } = ReportRequest.decode(question);
    if (runningOf !== '' && !this.#asking.has(id)) {
      const running = this.#running(runningOf);
      return { id, answer: Report.encode(Report.fromPartial({ gatewayId: this.#reporter.id, running })).finish() };
    }
    if (this.#asking.has(id) || query === undefined || (gatewayId !== '' && gatewayId !== this.#reporter.id))
      return undefined;
    return {
      id,
      answer: Report.encode(this.#ownReport(query, cursors[this.#reporter.id])).finish(),
    };
  }
}

/** No gateway of the fleet that is alive has this id. */
export class UnknownGateway extends Error {
  readonly id: string;

  constructor(id: string) {
    super(`no gateway ${JSON.stringify(id)} is alive: \`tollgate gateways\` lists those that are`);
    this.name = 'UnknownGateway';
    this.id = id;
  }
}

function combine(
  asked: FleetChannel['gateways'],
  reports: readonly Report[],
  request: GetMetricsRequest,
  audience: Audience,
  before: Cursors | undefined,
): Told {
  // Who has answered says where it is; of the others it is known from when they were last seen.
  const told = new Map(reports.map(({ gatewayId, address }) => [gatewayId, address]));
  const metrics = reports.flatMap((report) => report.metrics ?? []);
  const merged = mergeReports(metrics, request);
  const gateways = asked.map(({ id, address }) => ({ id, address: told.get(id) || address, answered: told.has(id) }));
  const cursors = new Map([...(before ?? []), ...reports.map(({ gatewayId, cursor }) => [gatewayId, cursor] as const)]);
  // A gateway that is new has all that it counted in this, and that is right: nothing of it was told before.
  const sinceStart = before === undefined || before.size === 0;
  const response = { ...merged, gateways };
  return { response: audience === 'tenant' ? ofTenant(response) : response, cursors, sinceStart };
}

/** What cannot be read did not come. */
function decodeReport(octets: Uint8Array): Report[] {
  try {
    return [Report.decode(octets)];
  } catch {
    return [];
  }
}

/** What a tenant may know of the fleet's answer. */
function ofTenant(response: GetMetricsResponse): GetMetricsResponse {
  const { series, startTime, endTime, omittedSeries, limits } = response;
  return { series, startTime, endTime, omittedSeries, limits, ...NOTHING_ELSE };
}
