import type { Logger } from '../telemetry/logger.ts';
import { FileWatch, type Fingerprint } from './watch-files.ts';

/** Something that has certificates from files, and can take them anew. */
export interface Renewable {
  /** As logs name it: `listener public`. */
  readonly name: string;
  readonly paths: readonly string[];
  /** Unix milliseconds, when the first of the certificates in use ends; Infinity when there is none. */
  validTo(): number;
  /** Takes the files as they are now. @throws when they are no good; then what was before stays in use */
  reload(): void;
}

/** How often files are looked at, milliseconds. */
const LOOK_MS = 5_000;

/** Takes certificates anew when their files change, or when told to; what cannot be used is told, and changes nothing. */
export class CertificateRenewal {
  readonly #renewables: readonly Renewable[];
  readonly #log: Logger;
  readonly #watches: readonly FileWatch[];

  constructor(renewables: readonly Renewable[], options: { log: Logger; fingerprint: Fingerprint }) {
    this.#renewables = renewables;
    this.#log = options.log;
    this.#watches = renewables.map(
      (one) =>
        new FileWatch({
          paths: one.paths,
          intervalMs: LOOK_MS,
          fingerprint: options.fingerprint,
          onChange: () => this.#reload(one),
        }),
    );
  }

  /** Takes all of them anew now. @returns how many could not be */
  reloadAll(): number {
    let failed = 0;
    for (const one of this.#renewables) if (!this.#reload(one)) failed++;
    return failed;
  }

  close(): void {
    for (const watch of this.#watches) watch.close();
  }

  #reload(one: Renewable): boolean {
    try {
      one.reload();
      const validTo = one.validTo();
      const valid = Number.isFinite(validTo) ? { valid_to: new Date(validTo).toISOString() } : {};
      this.#log.info({ certificates: one.name, ...valid }, 'certificates reloaded');
      return true;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#log.error({ certificates: one.name, why }, 'certificates not reloaded: those in use stay in use');
      return false;
    }
  }
}
