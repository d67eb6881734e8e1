import type { FleetView, GatewayEntry, Gateways } from '../store/redis/gateways.ts';

export interface PresenceOptions {
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
  #live = 1;
  #announcing: Promise<unknown> | undefined;

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** Gateways of the fleet, this one among them, as they were last known. */
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
    return view;
  }
}
