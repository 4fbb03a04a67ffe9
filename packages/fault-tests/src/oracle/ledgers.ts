/** What the oracle knows: written by the sender, the receiver and whoever breaks things, none of which is broken itself. */

/** What the API said of an event. `unknown`: nothing that decides it (time-out, reset, 503 `outcome_unknown`). */
export type Answered = 'ok' | 'refused' | 'unknown';

export interface SentEvent {
  readonly n: number;
  readonly tenantId: string;
  readonly type: string;
  /** Of the payload's bytes; no two payloads are the same. */
  readonly hash: string;
  readonly sentAtMs: number;
  answeredAtMs: number;
  answered: Answered;
  /** Known of `ok` events alone. */
  eventId: string | null;
  /** The status and code of an answer that is no 202, or what broke the connection. */
  detail: string;
}

/** One request that reached the receiver. */
export interface Arrival {
  readonly atMs: number;
  readonly path: string;
  readonly deliveryId: string;
  readonly eventId: string;
  readonly run: number;
  readonly attempt: number;
  readonly hash: string;
  /** When its last byte of answer was written; null while it has none. */
  answeredAtMs: number | null;
  status: number | null;
}

/** An endpoint as the test made it. */
export interface Target {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly path: string;
  readonly eventTypes: readonly string[];
}

export type Kind =
  | 'ingest'
  | 'dispatcher'
  | 'worker'
  | 'recorder'
  | 'broker'
  | 'postgres'
  | 'network'
  | 'receiver';

/** Something that was broken, from the first harm until it was whole again. */
export interface Fault {
  readonly kind: Kind;
  readonly target: string;
  readonly what: string;
  readonly graceful: boolean;
  readonly fromMs: number;
  untilMs: number;
}

export interface RecordedDelivery {
  readonly deliveryId: string;
  readonly eventId: string;
  readonly endpointId: string;
  readonly run: number;
  readonly state: string;
}

/** Attempt rows of one (delivery, run, attempt), over all rounds. */
export interface RecordedAttempt {
  readonly deliveryId: string;
  readonly run: number;
  readonly attempt: number;
  readonly rows: number;
  /** Of these, rows with a status: the receiver answered. */
  readonly answered: number;
  readonly failure: string | null;
}

export interface Evidence {
  readonly sent: readonly SentEvent[];
  readonly arrivals: readonly Arrival[];
  readonly targets: readonly Target[];
  readonly faults: readonly Fault[];
  readonly deliveries: readonly RecordedDelivery[];
  readonly attempts: readonly RecordedAttempt[];
  /** Hashes of events of earlier rounds, which were all done with: nothing of them may arrive now. */
  readonly earlier?: ReadonlySet<string>;
  /** How long an outcome may take until a crash no longer reaches it: longer than usual where other work shares the machine. */
  readonly settleMs?: number;
}

export const FINAL_STATES: ReadonlySet<string> = new Set(['success', 'failed', 'cancelled']);
export const isSuccess = (status: number | null): boolean => status !== null && status >= 200 && status < 300;
export const matches = (target: Target, event: SentEvent): boolean =>
  target.tenantId === event.tenantId &&
  (target.eventTypes.includes('*') || target.eventTypes.includes(event.type));
