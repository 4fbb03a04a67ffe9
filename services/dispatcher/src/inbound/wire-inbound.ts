import { within as answerWithin, deadLetterCounts } from '@posthorn/db';
import type { Part } from '@posthorn/runtime';
import { catalogueSource, createEventCatalogue } from '@posthorn/tenant-config';
import { createFindConfig } from '../fan-out/find-config.ts';
import { createInFlight, type InFlight } from '../in-flight.ts';
import { consume, namesOf, type PhaseContext, partsOf, type WiredPhase } from '../phases.ts';
import { createRareWarning } from '../rare-warning.ts';
import { createInboundRate, type InboundRate } from './inbound-rate.ts';
import { createInbound } from './take-inbound.ts';
import { createDeadLetterWatch } from './watch-dead-letters.ts';

const MAX_INBOUND_BYTES = 16 * 1024 * 1024;
const COUNT_TIMEOUT_MS = 2_000;

export interface WiredInbound extends WiredPhase {
  readonly inFlight: InFlight;
  readonly rate: InboundRate;
  /** What must run before its consumer does. */
  readonly parts: readonly Part[];
}

/** Null where there is no topic for events of others. */
export function wireInbound(context: PhaseContext): WiredInbound | null {
  const { config, configs, database, log, metrics, clock } = context;
  if (config.inboundPartitions === 0) return null;
  const names = namesOf(config);
  const parts = partsOf(context, 'inbound');
  const inFlight = createInFlight({
    maxRecords: config.maxInboundRecords,
    maxBytes: MAX_INBOUND_BYTES,
    resume: parts.handle.resume,
  });
  const rate = createInboundRate({ maxTenants: config.maxRatedTenants });
  const catalogue = createEventCatalogue({ source: catalogueSource(database), log });
  const deadLetters = createDeadLetterWatch({
    read: () => answerWithin(COUNT_TIMEOUT_MS, deadLetterCounts(database.sql)),
    log,
  });
  const handler = createInbound({
    ...context,
    ...parts,
    inFlight,
    rate,
    catalogue,
    countDeadLetters: (tenantId) => deadLetters.count(tenantId),
    findConfig: createFindConfig({
      configs,
      monotonicMs: () => clock.monotonicMs(),
      maxWaitMs: config.maxConfigWaitMs,
    }),
    warnWaiting: createRareWarning(log, 'event waits until its tenant is known'),
    eventsTopic: names.events,
    eventPartitions: config.eventPartitions,
    observe: metrics.inbound,
  });
  const phase = consume(context, parts.handle, {
    name: 'inbound',
    topics: [names.inbound],
    assigned: () => handler,
    idle: () => inFlight.idle(),
  });
  return {
    ...phase,
    inFlight,
    rate,
    parts: [
      { name: 'event types', start: () => catalogue.start(), stop: () => catalogue.stop() },
      { name: 'dead letter counts', start: () => deadLetters.start(), stop: async () => deadLetters.stop() },
    ],
  };
}
