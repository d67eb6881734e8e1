import { type Command, Option } from 'commander';
import {
  GetMetricsRequest,
  GetMetricsResponse,
  GetMetricsRequest_Label as Label,
  GetMetricsRequest_Scope as Scope,
  MetricsServiceService as service,
  WatchMetricsRequest,
} from '../../generated/tollgate/metrics/v1/metrics.ts';
import { toDuration } from '../metrics/series-report.ts';
import { type AdminClient, type AdminOptions, addAdminOptions, withAdminClient } from './admin-client.ts';
import { CliError, type Io, type Terminal } from './io.ts';
import { printJson } from './print.ts';
import { jsonOf } from './to-json.ts';
import { GROUPS, type Grouping, renderTop, SORTS, type Sort, type TopState } from './top-view.ts';

const toJson = jsonOf('tollgate.metrics.v1.GetMetricsResponse', GetMetricsResponse);
const LABELS = { tenant: Label.LABEL_TENANT, method: Label.LABEL_METHOD } as const;
/** Rows that are asked for: more than a terminal has lines. */
const MAX_SERIES = 500;
/** What a snapshot looks back. */
const SNAPSHOT_SECONDS = 10;
const WIDE = 200;

interface TopOptions extends AdminOptions {
  readonly by: Grouping;
  readonly sort: Sort;
  readonly interval: string;
  readonly once?: boolean;
  readonly fleet?: boolean;
  readonly gateway?: string;
  readonly tenant?: string;
  readonly method?: string;
}

export function addTopCommand(program: Command, io: Io): void {
  addAdminOptions(
    program.command('top').description('a live view: calls, latencies, refusals, limits near their end, breakers'),
  )
    .addOption(new Option('--by <what>', 'a row for each').choices(Object.keys(GROUPS)).default('both'))
    .addOption(new Option('--sort <what>', 'the highest first').choices(Object.keys(SORTS)).default('calls'))
    .option('--interval <seconds>', 'between looks, 0.1 to 3600', '1')
    .option('--once', `the last ${SNAPSHOT_SECONDS} seconds, and no more; so is what is no terminal`)
    .option('--fleet', 'all gateways that share the store')
    .option('--gateway <id>', 'one of them (see "tollgate gateways list")')
    .option('--tenant <id>', 'calls of this tenant only')
    .option('--method <pkg.Service/Method>', 'calls of this method only')
    .action((options: TopOptions) =>
      withAdminClient(options, io, (client) => {
        const interval = parseInterval(options.interval);
        const terminal = options.output === 'json' || options.once ? undefined : io.terminal;
        return terminal === undefined ? snapshot(client, options, io) : live(client, options, interval, io, terminal);
      }),
    );
}

async function snapshot(client: AdminClient, options: TopOptions, io: Io): Promise<void> {
  const window = toDuration(SNAPSHOT_SECONDS * 1000);
  const metrics = await client.call(service.getMetrics, { ...queryOf(options, options.by), window });
  if (options.output === 'json') {
    printJson(io, toJson(metrics));
    return;
  }
  const state = { address: nameOf(options), metrics, seconds: secondsOf(metrics), refusals: new Map(), ...options };
  io.stdout.write(`${renderTop(state, WIDE, undefined).join('\n')}\n`);
}

/** Draws until the user goes. Keys change what is drawn next; another grouping is another question. */
async function live(
  client: AdminClient,
  options: TopOptions,
  intervalMs: number,
  io: Io,
  terminal: Terminal,
): Promise<void> {
  const view = new LiveView(nameOf(options), options, io, terminal);
  const stop = io.onStopSignal(() => view.quit());
  view.open();
  try {
    while (!view.over) {
      const request = WatchMetricsRequest.fromPartial({
        query: queryOf(options, view.by),
        interval: toDuration(intervalMs),
      });
      for await (const { metrics, sinceStart } of client.stream(service.watchMetrics, request, view.begin())) {
        if (metrics !== undefined) view.take(metrics, sinceStart);
      }
      // The stream ends by a key, or with the gateway.
      if (!view.asksAnew) break;
    }
  } finally {
    stop();
    view.close();
  }
}

/** What is on the screen. */
class LiveView {
  by: Grouping;
  over = false;
  asksAnew = false;
  readonly #address: string;
  readonly #io: Io;
  readonly #terminal: Terminal;
  #sort: Sort;
  #stream = new AbortController();
  #state: TopState | undefined;
  #refusals: Readonly<Record<string, number>> | undefined;
  #stopKeys: (() => void) | undefined;

  constructor(address: string, { by, sort }: Pick<TopOptions, 'by' | 'sort'>, io: Io, terminal: Terminal) {
    this.#address = address;
    this.by = by;
    this.#sort = sort;
    this.#io = io;
    this.#terminal = terminal;
  }

  /** The alternate screen, so that what was there is there again afterwards; no cursor. */
  open(): void {
    this.#io.stdout.write('\x1b[?1049h\x1b[?25l\x1b[H\x1b[Jtollgate top: waiting for the first interval\n');
    this.#stopKeys = this.#terminal.onKey((key) => this.#onKey(key));
  }

  close(): void {
    this.#stopKeys?.();
    this.#io.stdout.write('\x1b[?25h\x1b[?1049l');
  }

  quit(): void {
    this.over = true;
    this.#stream.abort();
  }

  /** @returns the signal that ends the stream which begins now */
  begin(): AbortSignal {
    this.#stream = new AbortController();
    this.asksAnew = false;
    this.#refusals = undefined;
    return this.#stream.signal;
  }

  take(metrics: GetMetricsResponse, sinceStart: boolean): void {
    const before = this.#refusals;
    this.#refusals = metrics.refusals;
    // All since the start is no interval: there is nothing to tell a rate of.
    if (sinceStart || before === undefined) return;
    const refusals = Object.entries(metrics.refusals).map(
      ([reason, n]) => [reason, n - (before[reason] ?? 0)] as const,
    );
    this.#state = {
      address: this.#address,
      metrics,
      seconds: secondsOf(metrics),
      refusals: new Map(refusals.filter(([, n]) => n > 0)),
      sort: this.#sort,
      by: this.by,
    };
    this.#draw();
  }

  #draw(): void {
    if (this.#state === undefined) return;
    const { columns, rows } = this.#terminal.size();
    const lines = renderTop({ ...this.#state, sort: this.#sort }, columns, rows);
    this.#io.stdout.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`);
  }

  #onKey(key: string): void {
    const sort = keysOf(SORTS).find((name) => SORTS[name].key === key);
    const by = keysOf(GROUPS).find((name) => GROUPS[name].key === key);
    if (key === 'q' || key === '\x03' || key === '\x1b') this.quit();
    else if (sort !== undefined) {
      this.#sort = sort;
      this.#draw();
    } else if (by !== undefined && by !== this.by) {
      this.by = by;
      this.asksAnew = true;
      this.#stream.abort();
    }
  }
}

function queryOf(options: TopOptions, by: Grouping): GetMetricsRequest {
  return GetMetricsRequest.fromPartial({
    tenantId: options.tenant ?? '',
    method: options.method ?? '',
    groupBy: GROUPS[by].labels.map((label) => LABELS[label]),
    limit: MAX_SERIES,
    scope: options.fleet ? Scope.SCOPE_FLEET : Scope.SCOPE_GATEWAY,
    gatewayId: options.gateway ?? '',
  });
}

function nameOf({ address, context }: TopOptions): string {
  return address ?? context ?? 'this gateway';
}

function secondsOf({ startTime, endTime }: GetMetricsResponse): number {
  return Math.max(0.001, ((endTime?.getTime() ?? 0) - (startTime?.getTime() ?? 0)) / 1000);
}

function parseInterval(text: string): number {
  const seconds = Number(text);
  if (seconds >= 0.1 && seconds <= 3600) return seconds * 1000;
  throw new CliError(`--interval: a number of seconds from 0.1 to 3600 is expected, not ${JSON.stringify(text)}`);
}

function keysOf<T extends object>(object: T): (keyof T)[] {
  return Object.keys(object) as (keyof T)[];
}
