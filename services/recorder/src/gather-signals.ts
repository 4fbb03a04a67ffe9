import type {
  AttemptedEntry,
  CircuitEntry,
  DeadLetterRemovedEntry,
  LaneDrainedEntry,
  LoadEntry,
  PurgedEntry,
} from '@posthorn/contracts';
import type { CircuitColumns, DeadLetterRemoval, DrainedLane, LoadColumns, NewPurge } from '@posthorn/db';
import { storable } from './storable.ts';

/** How the attempts of a batch at one endpoint ended. Times in Unix milliseconds, by the workers' clocks. */
export interface EndpointAnswers {
  readonly tenantId: string;
  lastSuccessAtMs: number | null;
  firstFailureAtMs: number | null;
  lastFailureAtMs: number | null;
}

/** An endpoint that answered 410, and the hash of the URL that did. */
export interface GoneEndpoint {
  readonly tenantId: string;
  readonly endpointId: string;
  readonly urlHash: string;
}

/**
 * What a batch says beyond the record of its deliveries, each thing once, however often and in whichever order it is
 * said.
 */
export interface Signals {
  readonly answers: Map<string, EndpointAnswers>;
  readonly gone: Map<string, GoneEndpoint>;
  readonly removals: Map<string, DeadLetterRemoval>;
  readonly purges: Map<string, NewPurge>;
  readonly drained: Map<string, DrainedLane>;
  readonly load: Map<string, LoadEntry>;
  readonly circuits: Map<string, CircuitEntry>;
}

export const emptySignals = (): Signals => ({
  answers: new Map(),
  gone: new Map(),
  removals: new Map(),
  purges: new Map(),
  drained: new Map(),
  load: new Map(),
  circuits: new Map(),
});

export function noteAnswer({ answers, gone }: Signals, entry: AttemptedEntry): void {
  const { tenantId, endpointId, atMs } = entry;
  let seen = answers.get(endpointId);
  if (seen === undefined) {
    seen = { tenantId, lastSuccessAtMs: null, firstFailureAtMs: null, lastFailureAtMs: null };
    answers.set(endpointId, seen);
  }
  if (entry.state === 'success') {
    seen.lastSuccessAtMs = Math.max(seen.lastSuccessAtMs ?? 0, atMs);
    return;
  }
  seen.firstFailureAtMs = Math.min(seen.firstFailureAtMs ?? Infinity, atMs);
  seen.lastFailureAtMs = Math.max(seen.lastFailureAtMs ?? 0, atMs);
  if (entry.failure === 'gone' && entry.urlHash !== undefined)
    gone.set(`${endpointId} ${entry.urlHash}`, { tenantId, endpointId, urlHash: entry.urlHash });
}

type Signal = DeadLetterRemovedEntry | PurgedEntry | LoadEntry | CircuitEntry | LaneDrainedEntry;

export function addSignal(signals: Signals, entry: Signal): void {
  switch (entry.kind) {
    case 'dead_letter_removed':
      noteRemoval(signals, entry);
      break;
    case 'purged':
      notePurge(signals, entry);
      break;
    case 'load':
      noteLoad(signals, entry);
      break;
    case 'circuit':
      noteCircuit(signals, entry);
      break;
    case 'lane_drained':
      noteDrained(signals, entry);
      break;
    default:
      entry satisfies never;
  }
}

function noteRemoval({ removals }: Signals, entry: DeadLetterRemovedEntry): void {
  const { tenantId, deliveryId, atMs } = entry;
  const seen = removals.get(deliveryId);
  if (seen !== undefined && seen.atMs >= atMs) return;
  removals.set(deliveryId, { tenantId, deliveryId, reason: storable(entry.reason), atMs });
}

function notePurge({ purges }: Signals, entry: PurgedEntry): void {
  const { tenantId, revision, endpointId, eventId } = entry;
  purges.set(`${tenantId} ${revision}`, { tenantId, revision, endpointId, eventId, askedAtMs: entry.atMs });
}

function noteDrained({ drained }: Signals, { tenantId, lane, revision }: LaneDrainedEntry): void {
  drained.set(`${tenantId} ${lane} ${revision}`, { tenantId, lane, lanesRevision: revision });
}

/** A worker's entries come in its own order: the last one holds. */
function noteLoad({ load }: Signals, entry: LoadEntry): void {
  load.set(`${entry.tenantId} ${entry.workerId}`, entry);
}

function noteCircuit({ circuits }: Signals, entry: CircuitEntry): void {
  circuits.set(`${entry.endpointId} ${entry.workerId}`, entry);
}

export function circuitColumns({ circuits }: Signals): CircuitColumns {
  const entries = [...circuits.values()];
  return {
    endpointId: entries.map((entry) => storable(entry.endpointId)),
    workerId: entries.map((entry) => storable(entry.workerId)),
    tenantId: entries.map((entry) => entry.tenantId),
    nextProbeAtMs: entries.map((entry) => entry.nextProbeAtMs),
    changedAtMs: entries.map((entry) => entry.atMs),
  };
}

export function loadColumns({ load }: Signals): LoadColumns {
  const entries = [...load.values()];
  return {
    tenantId: entries.map((entry) => entry.tenantId),
    workerId: entries.map((entry) => storable(entry.workerId)),
    inFlight: entries.map((entry) => entry.inFlight),
    queued: entries.map((entry) => entry.queued),
    overflow: entries.map((entry) => entry.overflow ?? 0),
  };
}
