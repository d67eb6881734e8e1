import type { FleetView, GatewayEntry, Gateways } from '../store/redis/gateways.ts';

/** Fewer gateways than are remembered are believed after so long: a fleet that is being stopped is not one of one gateway. */
const FEWER_FOR_MS = 600_000;

export interface PresenceOptions {
  /** Where a gateway that starts while the store is away finds how many there were. */
  readonly replica: { readonly gateways: number; noteGateways(gateways: number): void };
  readonly gateways: Gateways;
  /** Unique in the fleet, and new with each start. */
  readonly id: string;
  /** Of this gateway, for people; it may become known after the start. */
  readonly address: () => string;
}

/** This gateway among those of its fleet: what it says of itself, and who else was there when Redis last answered. */
export class Presence {
  readonly #options: PresenceOptions;
  #gateways: readonly GatewayEntry[] = [];
  #live: number;
  /** Monotonic milliseconds. */
  #fewerSince: number | undefined;
  #announcing: Promise<unknown> | undefined;

  constructor(options: PresenceOptions) {
    this.#options = options;
    this.#live = options.replica.gateways;
  }

  /** Gateways of the fleet, this one among them, as they were last known; none before the store has answered. */
  get gateways(): readonly GatewayEntry[] {
    return this.#gateways;
  }

  /** Gateways that were alive when Redis last answered; at least 1. */
  get live(): number {
    return this.#live;
  }

  /** Who has which version, asked of Redis now. @throws StoreUnavailable */
  view(): Promise<FleetView> {
    return this.#note(this.#options.gateways.view());
  }

  /** Tells the fleet which version is applied here. @throws StoreUnavailable */
  announce(version: number): Promise<FleetView> {
    const { gateways, id, address } = this.#options;
    const announcing = this.#note(gateways.announce(id, address(), version));
    this.#announcing = announcing.catch(() => undefined);
    return announcing;
  }

  /** Nothing is announced any more. @param tell takes this gateway off the list */
  async leave(tell: boolean): Promise<void> {
    await this.#announcing;
    if (tell) await this.#options.gateways.leave(this.#options.id).catch(() => {});
  }

  async #note(answer: Promise<FleetView>): Promise<FleetView> {
    const view = await answer;
    this.#gateways = view.gateways;
    this.#live = Math.max(1, view.gateways.filter(({ alive }) => alive).length);
    this.#remember(this.#live);
    return view;
  }

  #remember(live: number): void {
    const { replica } = this.#options;
    const known = replica.gateways;
    const now = performance.now();
    if (live < known) {
      this.#fewerSince ??= now;
      if (now - this.#fewerSince < FEWER_FOR_MS) return;
    }
    this.#fewerSince = undefined;
    if (live !== known) replica.noteGateways(live);
  }
}
