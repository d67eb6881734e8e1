import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { QuotaCounter, QuotaLedger, QuotaStanding } from '../ledger.ts';
import type { QuotaLeaseRequest, QuotaStore } from '../store.ts';
import { integer, Transactions } from './sqlite.ts';

/** Counters of ended periods stay this long: for leases that come back late, and for whoever looks at yesterday. */
const KEEP_MS = 7 * 24 * 3600_000;
/** Purging looks for more at this interval, and deletes in small pieces: calls are waiting behind it. */
const PURGE_EVERY_MS = 3600_000;
const PURGE_PIECE = 200;

type Counter = Pick<QuotaLeaseRequest, 'tenantId' | 'metric' | 'periodStart'>;

/**
 * Quota counters in SQLite. All is synchronous, so a lease never waits in a queue; it throws when the disk fails.
 * A tenant that is deleted and made again under its id goes on with what it had used.
 */
export class EmbeddedQuotas implements QuotaStore, QuotaLedger {
  readonly #clock: { now(): number };
  readonly #transactions: Transactions;
  readonly #select: StatementSync;
  readonly #upsert: StatementSync;
  readonly #giveBack: StatementSync;
  readonly #purge: StatementSync;
  readonly #adjust: StatementSync;
  readonly #noteAdjustment: StatementSync;
  #purgeAt = 0;
  #left = 0;
  #adjusted = 0;

  constructor(db: DatabaseSync, clock: { now(): number }) {
    this.#clock = clock;
    this.#transactions = new Transactions(db);
    const counter = 'tenant = ? AND metric = ? AND period_start = ?';
    this.#select = db.prepare(`SELECT used, adjusted FROM quota_counters WHERE ${counter}`);
    this.#upsert = db.prepare(
      `INSERT INTO quota_counters (tenant, metric, period_start, period_end, used) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET used = used + excluded.used`,
    );
    this.#giveBack = db.prepare(`UPDATE quota_counters SET used = max(0, used - ?) WHERE ${counter}`);
    this.#adjust = db.prepare(
      `INSERT INTO quota_counters (tenant, metric, period_start, period_end, used, adjusted) VALUES (?, ?, ?, ?, 0, ?)
       ON CONFLICT DO UPDATE SET adjusted = adjusted + excluded.adjusted`,
    );
    this.#noteAdjustment = db.prepare('INSERT OR IGNORE INTO quota_adjustments VALUES (?, ?, ?, ?)');
    this.#purge = db.prepare(
      `DELETE FROM quota_counters WHERE (tenant, metric, period_start) IN
         (SELECT tenant, metric, period_start FROM quota_counters WHERE period_end < ? LIMIT ${PURGE_PIECE})`,
    );
  }

  get left(): number {
    return this.#left;
  }

  get adjusted(): number {
    return this.#adjusted;
  }

  lease(request: QuotaLeaseRequest): number {
    this.#purgeSome();
    const { tenantId, metric, periodStart, periodEnd, limit, want, least } = request;
    // No transaction around the two, which would be half of what a lease costs: nobody else writes to this file, and nothing else
    // of this process runs in between.
    const { used, adjusted } = this.#read(request);
    const left = limit + adjusted - used;
    this.#left = left;
    this.#adjusted = adjusted;
    const granted = Math.min(Math.floor(want), left);
    if (granted <= 0 || granted < least) return 0;
    this.#upsert.run(tenantId, metric, periodStart, periodEnd, granted);
    this.#left = left - granted;
    return granted;
  }

  giveBack({ tenantId, metric, periodStart }: Counter, units: number): void {
    if (units <= 0) return;
    this.#giveBack.run(Math.floor(units), tenantId, metric, periodStart);
  }

  async standing(counter: Counter): Promise<QuotaStanding> {
    const { used, adjusted } = this.#read(counter);
    return { total: used, leased: 0, adjusted };
  }

  async adjust(
    { tenantId, metric, periodStart, periodEnd }: QuotaCounter,
    units: number,
    key: string,
  ): Promise<boolean> {
    return this.#transactions.run(() => {
      if (this.#noteAdjustment.run(tenantId, metric, periodStart, key).changes === 0) return false;
      this.#adjust.run(tenantId, metric, periodStart, periodEnd, units);
      return true;
    });
  }

  async used(counter: Counter): Promise<number> {
    return this.#read(counter).used;
  }

  #read({ tenantId, metric, periodStart }: Counter): { used: number; adjusted: number } {
    const row = this.#select.get(tenantId, metric, periodStart);
    if (row === undefined) return { used: 0, adjusted: 0 };
    return { used: integer(row, 'used'), adjusted: integer(row, 'adjusted') };
  }

  #purgeSome(): void {
    const now = this.#clock.now();
    if (now < this.#purgeAt) return;
    const { changes } = this.#purge.run(now - KEEP_MS);
    // A full piece: there may be more, for the next lease.
    if (changes < PURGE_PIECE) this.#purgeAt = now + PURGE_EVERY_MS;
  }
}
