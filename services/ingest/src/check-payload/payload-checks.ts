import type { Clock, Logger } from '@posthorn/runtime';
import { type CheckLaneOptions, type CheckOutcome, createCheckLane, type NotChecked } from './check-lane.ts';

/** How long a tenant whose check ran out of time shares a thread with others of its kind alone. */
export const SLOW_TENANT_MS = 60_000;
export const MAX_SLOW_TENANTS = 1_000;
/** Of one tenant; further ones are answered `busy`. */
export const MAX_WAITING_CHECKS_PER_TENANT = 250;

export interface SchemaText {
  /** Of the event type. */
  readonly name: string;
  readonly schemaKey: string;
  /** JSON. */
  readonly schema: string;
}

/**
 * Checks payloads against schemas away from the event loop, each within a deadline. A tenant whose check ran out of
 * time goes to a thread apart for a while: it delays nobody else's events but once.
 */
export interface PayloadChecks {
  check(tenantId: string, schema: SchemaText, payload: Buffer): Promise<CheckOutcome>;
  /** What is wrong with a schema, or with an example that does not fit it: pointers `/schema…`, `/examples/0…`. */
  inspect(schema: string, examples: string): Promise<CheckOutcome>;
  readonly size: number;
  readonly compiledSchemas: number;
  stop(): Promise<void>;
}

export interface PayloadChecksOptions extends CheckLaneOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly log: Pick<Logger, 'warn'>;
  readonly observe?: (outcome: string) => void;
}

export function createPayloadChecks({
  clock,
  log,
  observe,
  ...options
}: PayloadChecksOptions): PayloadChecks {
  const common = createCheckLane(options);
  const apart = createCheckLane(options);
  // For new schemas: a hostile one is in nobody's way.
  const desk = createCheckLane(options);
  const lanes = [common, apart, desk];
  const slowUntil = new Map<string, number>();
  const waiting = new Map<string, number>();

  function isSlow(tenantId: string): boolean {
    const untilMs = slowUntil.get(tenantId);
    if (untilMs === undefined) return false;
    if (untilMs > clock.monotonicMs()) return true;
    slowUntil.delete(tenantId);
    return false;
  }

  function noteSlow(tenantId: string, eventType: string): void {
    if (!isSlow(tenantId)) {
      log.warn(
        { tenant_id: tenantId, event_type: eventType },
        'payload check gave up, its tenant is checked apart',
      );
    }
    slowUntil.delete(tenantId);
    slowUntil.set(tenantId, clock.monotonicMs() + SLOW_TENANT_MS);
    if (slowUntil.size > MAX_SLOW_TENANTS) slowUntil.delete(slowUntil.keys().next().value!);
  }

  async function check(tenantId: string, { name, schemaKey: key, schema }: SchemaText, payload: Buffer) {
    const before = waiting.get(tenantId) ?? 0;
    if (before >= MAX_WAITING_CHECKS_PER_TENANT) return BUSY;
    waiting.set(tenantId, before + 1);
    const outcome = await (isSlow(tenantId) ? apart : common).check({ key, schema, payload });
    const left = waiting.get(tenantId)! - 1;
    if (left === 0) waiting.delete(tenantId);
    else waiting.set(tenantId, left);
    if (outcome.kind === 'not_checked' && EXHAUSTED.has(outcome.reason)) noteSlow(tenantId, name);
    return outcome;
  }

  return {
    async check(tenantId, schema, payload) {
      const outcome = await check(tenantId, schema, payload);
      observe?.(outcome.kind === 'not_checked' ? outcome.reason : outcome.kind);
      return outcome;
    },
    inspect: (schema, examples) => desk.inspect(schema, examples),
    get size() {
      return lanes.reduce((sum, lane) => sum + lane.size, 0);
    },
    get compiledSchemas() {
      return lanes.reduce((sum, lane) => sum + lane.compiledSchemas, 0);
    },
    async stop() {
      await Promise.all(lanes.map((lane) => lane.stop()));
    },
  };
}

const EXHAUSTED: ReadonlySet<NotChecked> = new Set(['timeout', 'crashed']);
const BUSY = { kind: 'not_checked', reason: 'busy' } as const;
