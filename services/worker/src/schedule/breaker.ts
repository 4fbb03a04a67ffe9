import { type EndpointId, type Outcome, RECEIVER_SIGN, type TenantId } from '@posthorn/contracts';
import { createFailureWindow, type FailureWindow } from './failure-window.ts';

export interface BreakerOptions {
  /** Share of failed attempts at which a circuit opens. */
  readonly failurePercent: number;
  readonly minAttempts: number;
  readonly windowMs: number;
  /** From the opening to the first probe; doubles after each that fails. */
  readonly firstProbeMs: number;
  readonly maxProbeMs: number;
  /** Endpoints kept count of; beyond it the least recently used is forgotten. */
  readonly maxEndpoints: number;
  onTurn?(turn: CircuitTurn): void;
}

export type CircuitMode = 'closed' | 'open' | 'half_open';

export interface CircuitTurn {
  readonly tenantId: TenantId;
  readonly endpointId: EndpointId;
  readonly from: CircuitMode;
  readonly to: CircuitMode;
  /** Of an open one, when the next single attempt may be. */
  readonly probeAtMs: number;
}

/** Whether a slot may be tried now. `open`: not, and in `probeInMs` the next single attempt may be. */
export type Verdict =
  | { readonly kind: 'closed' }
  | { readonly kind: 'probe' }
  | { readonly kind: 'open'; readonly probeInMs: number };

/**
 * Whether the receivers answer, endpoint by endpoint. Pure: no I/O, no timers, the clock (monotonic milliseconds) is
 * an argument.
 *
 * Modes of a circuit: closed (attempts are counted from the first that says the receiver is down) → open (nothing is
 * let through until the next probe is due; attempts under way end and change nothing) ⇄ half_open (one probe is under
 * way, and what else comes is told to wait) → closed (a probe came through). An endpoint that is not known here is
 * closed and has failed nothing.
 */
export interface Breaker {
  /** Every `probe` is followed by `observe` or `abandon`. */
  judge(endpointId: EndpointId, nowMs: number): Verdict;
  /** An attempt that was let through has ended. */
  observe(
    tenantId: TenantId,
    endpointId: EndpointId,
    admitted: 'closed' | 'probe',
    outcome: Outcome,
    nowMs: number,
  ): void;
  /** A probe was not made after all: the next slot may be it. */
  abandon(endpointId: EndpointId): void;
  isOpen(endpointId: EndpointId): boolean;
  stats(): { readonly openCircuits: number; readonly endpoints: number };
}

interface Circuit {
  mode: CircuitMode;
  readonly tenantId: TenantId;
  readonly window: FailureWindow;
  probeAtMs: number;
  probeWaitMs: number;
}

const CLOSED: Verdict = { kind: 'closed' };
const PROBE: Verdict = { kind: 'probe' };

export function createBreaker(options: BreakerOptions): Breaker {
  return new EndpointBreaker(options);
}

class EndpointBreaker implements Breaker {
  readonly #options: BreakerOptions;
  /** In the order of last use, the longest unused first. */
  readonly #circuits = new Map<EndpointId, Circuit>();
  #open = 0;

  constructor(options: BreakerOptions) {
    this.#options = options;
  }

  judge(endpointId: EndpointId, nowMs: number): Verdict {
    const circuit = this.#circuits.get(endpointId);
    if (circuit === undefined || circuit.mode === 'closed') return CLOSED;
    this.#touch(endpointId, circuit);
    if (circuit.mode === 'open' && nowMs >= circuit.probeAtMs) {
      this.#turn(endpointId, circuit, 'half_open');
      return PROBE;
    }
    // With a probe under way, its failure would put the next one off by twice the wait.
    const probeInMs =
      circuit.mode === 'half_open' ? this.#nextWait(circuit) : Math.max(0, circuit.probeAtMs - nowMs);
    return { kind: 'open', probeInMs };
  }

  observe(
    tenantId: TenantId,
    endpointId: EndpointId,
    admitted: 'closed' | 'probe',
    outcome: Outcome,
    nowMs: number,
  ): void {
    const sign = outcome.kind === 'success' ? 'up' : RECEIVER_SIGN[outcome.failure];
    const circuit = this.#circuits.get(endpointId);
    if (admitted === 'probe') {
      if (circuit?.mode === 'half_open') this.#endProbe(endpointId, circuit, sign, nowMs);
    } else if (sign !== 'nothing' && (circuit === undefined || circuit.mode === 'closed')) {
      const failed = sign === 'down';
      // The common case, an endpoint that fails nothing, costs one look-up.
      const counted = circuit ?? (failed ? this.#remember(tenantId, endpointId) : undefined);
      if (counted !== undefined) this.#count(endpointId, counted, failed, nowMs);
    }
  }

  abandon(endpointId: EndpointId): void {
    const circuit = this.#circuits.get(endpointId);
    if (circuit?.mode === 'half_open') this.#turn(endpointId, circuit, 'open');
  }

  isOpen(endpointId: EndpointId): boolean {
    const circuit = this.#circuits.get(endpointId);
    return circuit !== undefined && circuit.mode !== 'closed';
  }

  stats() {
    return { openCircuits: this.#open, endpoints: this.#circuits.size };
  }

  #count(endpointId: EndpointId, circuit: Circuit, failed: boolean, nowMs: number): void {
    const { window } = circuit;
    window.count(failed, nowMs);
    const { attempts, failures } = window;
    if (failures === 0) {
      this.#circuits.delete(endpointId);
      return;
    }
    const { minAttempts, failurePercent, firstProbeMs } = this.#options;
    if (!failed || attempts < minAttempts || failures * 100 < attempts * failurePercent) {
      this.#touch(endpointId, circuit);
      return;
    }
    circuit.probeWaitMs = firstProbeMs;
    circuit.probeAtMs = nowMs + firstProbeMs;
    this.#turn(endpointId, circuit, 'open');
  }

  #endProbe(endpointId: EndpointId, circuit: Circuit, sign: 'up' | 'down' | 'nothing', nowMs: number): void {
    if (sign === 'up') {
      this.#turn(endpointId, circuit, 'closed');
      this.#circuits.delete(endpointId);
      return;
    }
    if (sign === 'down') circuit.probeWaitMs = this.#nextWait(circuit);
    circuit.probeAtMs = nowMs + circuit.probeWaitMs;
    this.#turn(endpointId, circuit, 'open');
  }

  #nextWait(circuit: Circuit): number {
    return Math.min(circuit.probeWaitMs * 2, Math.max(this.#options.firstProbeMs, this.#options.maxProbeMs));
  }

  #remember(tenantId: TenantId, endpointId: EndpointId): Circuit {
    if (this.#circuits.size >= this.#options.maxEndpoints) this.#forgetOldest();
    const window = createFailureWindow(this.#options.windowMs);
    const circuit: Circuit = { mode: 'closed', tenantId, window, probeAtMs: 0, probeWaitMs: 0 };
    this.#circuits.set(endpointId, circuit);
    return circuit;
  }

  #forgetOldest(): void {
    const [oldest] = this.#circuits;
    if (oldest === undefined) return;
    const [endpointId, circuit] = oldest;
    if (circuit.mode !== 'closed') this.#turn(endpointId, circuit, 'closed');
    this.#circuits.delete(endpointId);
  }

  #touch(endpointId: EndpointId, circuit: Circuit): void {
    this.#circuits.delete(endpointId);
    this.#circuits.set(endpointId, circuit);
  }

  #turn(endpointId: EndpointId, circuit: Circuit, to: CircuitMode): void {
    if (circuit.mode === 'closed') this.#open += 1;
    if (to === 'closed') this.#open -= 1;
    const from = circuit.mode;
    circuit.mode = to;
    const { tenantId, probeAtMs } = circuit;
    this.#options.onTurn?.({ tenantId, endpointId, from, to, probeAtMs });
  }
}
