/** What the fleet agreed on of one backend. */
export type FleetPhase = 'closed' | 'open' | 'half_open' | 'isolated';

/** The shared state of one backend's breaker. */
export interface FleetBreaker {
  /** Raised with every change; 0 when the store knows nothing of this backend. */
  readonly epoch: number;
  readonly phase: FleetPhase;
  /** While open: milliseconds until probes are admitted; 0 or less once they are. */
  readonly leftMs: number;
}

/** What one gateway sees of a backend. */
export interface BreakerReport {
  readonly gateway: string;
  /** Of its own breaker. */
  readonly state: 'closed' | 'open' | 'half_open';
  /** The shared state that this view was formed under: an older one is no opinion about what came after. */
  readonly epoch: number;
  /** Within the window of its own breaker. */
  readonly calls: number;
  readonly failures: number;
  /** Milliseconds since its own breaker opened; 0 while closed. */
  readonly openedAgoMs: number;
  readonly openForMs: number;
  /** Leases of probes that it still holds: they are prolonged. */
  readonly leases: readonly string[];
}

export interface ReportAnswer extends FleetBreaker {
  /** Other gateways whose own breakers are not closed. */
  readonly doubters: number;
}

export interface LeaseRequest {
  readonly gateway: string;
  /** How many leases, at least 1. */
  readonly want: number;
  /** The most that the fleet may hold. */
  readonly probes: number;
  readonly openForMs: number;
}

export interface LeaseAnswer extends FleetBreaker {
  readonly leases: readonly string[];
}

export interface ProbeVerdict {
  readonly gateway: string;
  /** Of the shared state that the lease was given under. */
  readonly epoch: number;
  readonly lease: string;
  /** `none` gives the lease back. */
  readonly verdict: 'good' | 'bad' | 'none';
  readonly openForMs: number;
}

/** What a gateway last reported. */
export interface GatewayView {
  readonly gateway: string;
  readonly state: 'closed' | 'open' | 'half_open';
  readonly calls: number;
  readonly failures: number;
  /** Milliseconds since its own breaker opened; undefined while closed. */
  readonly openedAgoMs: number | undefined;
}

export interface BreakerOverview extends FleetBreaker {
  /** Leases of probes that are held now. */
  readonly probes: number;
  readonly gateways: readonly GatewayView[];
}

/**
 * Breakers that several gateways share. Each operation is atomic, and answers with the state after it. All reject when the
 * store does not answer within a second or so.
 */
export interface BreakerStore {
  /** Says what this gateway sees; opens the breaker when with it a quorum of those that call the backend agree. */
  report(backend: string, report: BreakerReport): Promise<ReportAnswer>;
  /** Asks for leave to probe; begins HALF_OPEN when the time in OPEN is over. */
  lease(backend: string, request: LeaseRequest): Promise<LeaseAnswer>;
  /** A probe has ended: the first that says something ends HALF_OPEN. */
  settle(backend: string, verdict: ProbeVerdict): Promise<FleetBreaker>;
  /** An operator's word. */
  force(backend: string, phase: 'isolated' | 'closed'): Promise<FleetBreaker>;
  read(backend: string): Promise<BreakerOverview>;
  /** Told of backends whose shared state may have changed; some changes are never told. @returns ends the subscription */
  onChange(listener: (backend: string) => void): () => void;
  close(): void;
}
