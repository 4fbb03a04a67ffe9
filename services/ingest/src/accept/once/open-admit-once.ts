import { setTimeout as delay } from 'node:timers/promises';
import { topicNames } from '@posthorn/contracts';
import type { Database } from '@posthorn/db';
import type { Admin } from '@posthorn/kafka';
import { type Clock, type Logger, within } from '@posthorn/runtime';
import type { IngestConfig } from '../../config.ts';
import type { IngestMetrics } from '../../metrics.ts';
import type { QuestionGate } from '../../question-gate.ts';
import type { PostgresWatch } from '../../watch/watch-postgres.ts';
import { type AdmitOnce, createAdmitOnce } from './admit-once.ts';
import { openClaims } from './claims.ts';

/** Kafka is asked how far a partition goes; it has this long to say. */
const END_OFFSET_TIMEOUT_MS = 2_000;

export interface OnceResources {
  readonly config: IngestConfig;
  /** Connections of its own. */
  readonly claims: Database;
  readonly claimQuestions: QuestionGate;
  readonly admin: Pick<Admin, 'endOffsets'>;
  readonly postgres: Pick<PostgresWatch, 'up' | 'reportDown'>;
  readonly metrics: Pick<IngestMetrics, 'countKeyed'>;
  readonly clock: Clock;
  readonly log: Logger;
}

export function openAdmitOnce(resources: OnceResources): AdmitOnce {
  const { config, claims, claimQuestions, admin, postgres, metrics, clock, log } = resources;
  const topic = topicNames(config.topicPrefix).events;
  const endOf = async (partition: number): Promise<number | null> => {
    const ends = await admin.endOffsets(topic);
    return ends.find((each) => each.partition === partition)?.high ?? null;
  };
  return createAdmitOnce({
    claims: openClaims(claims, topic, claimQuestions),
    endOffset: (partition) =>
      within<number | null, null>(END_OFFSET_TIMEOUT_MS, endOf(partition), () => null).catch(() => null),
    produceTimeoutMs: config.produceTimeoutMs,
    marginMs: config.idempotencyMarginMs,
    waitMs: config.idempotencyWaitMs,
    clock,
    wait: delay,
    log,
    count: (result) => metrics.countKeyed(result),
    isDatabaseUp: () => postgres.up,
    reportDatabaseDown: () => postgres.reportDown(),
  });
}
