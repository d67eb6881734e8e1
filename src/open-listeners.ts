import { readFileSync } from 'node:fs';
import type { ListenerSettings } from './config/settings.ts';
import { ALWAYS_SHOWN } from './contracts/builtin.ts';
import { answerHttp1, type PlainPage } from './control/probes.ts';
import { type Flusher, Listener, type ListenerOptions, type Stream, type StreamHandler } from './http2/index.ts';
import type { FloodCounts } from './metrics/flood-counts.ts';
import { toPlainRequest } from './open-pages.ts';
import { HEADER_NAMES } from './routing/header-names.ts';
import { ListenerView } from './routing/listener-view.ts';
import type { Logger } from './telemetry/logger.ts';
import type { Renewable } from './tls/certificate-renewal.ts';
import { ServerCertificates } from './tls/server-certificates.ts';

/** What listeners do with requests, and whom they tell. */
export interface ListenerParts {
  readonly flusher: Flusher;
  readonly floods: FloodCounts;
  readonly log: Logger;
  /** By listener. */
  readonly pages: ReadonlyMap<string, PlainPage>;
  accept(view: ListenerView, ...request: Parameters<ListenerOptions['onRequest']>): StreamHandler;
  /** Answers one whose headers are too long. */
  tooLarge(view: ListenerView, stream: Stream): void;
  /** Ends one that still runs. */
  cutOff(stream: Stream): void;
  /** Each as it listens. */
  onOpen(opened: OpenedListener): void;
}

export interface OpenedListener {
  readonly settings: ListenerSettings;
  readonly view: ListenerView;
  readonly listener: Listener;
  /** Its certificates. */
  readonly renewable: Renewable | undefined;
}

/**
 * Opens the listeners of the configuration, one after the other.
 * @throws the system's error when an address cannot be bound; those before it stay open
 */
export async function openListeners(listeners: readonly ListenerSettings[], parts: ListenerParts): Promise<void> {
  for (const settings of listeners) parts.onOpen(await openListener(settings, parts));
}

async function openListener(settings: ListenerSettings, parts: ListenerParts): Promise<OpenedListener> {
  const { name } = settings;
  const { log } = parts;
  const view = new ListenerView({ ...settings, contracts: [...settings.contracts, ...ALWAYS_SHOWN] });
  const page = parts.pages.get(name) ?? (() => undefined);
  const certificates = settings.tls && new ServerCertificates(settings.tls, readFileSync);
  const listener = await Listener.listen({
    host: settings.host,
    port: settings.port,
    tls: certificates?.serverOptions,
    maxConnectionAgeMs: settings.maxConnectionAgeMs,
    ...settings.limits,
    names: HEADER_NAMES,
    flusher: parts.flusher,
    onRequest: (stream, block, endStream) => parts.accept(view, stream, block, endStream),
    onTooLarge: (stream) => parts.tooLarge(view, stream),
    onGraceOver: (stream) => parts.cutOff(stream),
    onHttp1: (request) => answerHttp1(page, settings.uniformErrors, toPlainRequest(request)),
    onHandshakeError: (error, remote) =>
      log.debug({ listener: name, remote, why: error.message }, 'TLS handshake failed'),
    onError: (error) => log.error({ listener: name, err: error }, 'listener'),
    onFlood: (kind, remote) => parts.floods.count(`listener ${name}`, kind, remote),
  });
  const renewable = certificates && {
    name: `listener ${name}`,
    paths: certificates.paths,
    validTo: () => certificates.validTo,
    reload: () => listener.renewTls(certificates.reload()),
  };
  return { settings, view, listener, renewable };
}
