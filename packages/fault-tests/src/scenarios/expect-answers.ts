import { setTimeout as delay } from 'node:timers/promises';
import { nowMs } from '../now.ts';
import type { SentEvent } from '../oracle/ledgers.ts';
import type { Rig } from '../rig/start-rig.ts';
import type { Notes } from './under-load.ts';

/** `PRODUCE_TIMEOUT_MS`, and what a busy machine adds. */
const ANSWERED_WITHIN_MS = 7_000;

/** What is sent while Kafka is away is answered within ingest's deadline, by a 503 that says whether it may be there. */
export async function expectAnswers(rig: Rig, notes: Notes, fromMs: number, untilMs: number): Promise<void> {
  await delay(ANSWERED_WITHIN_MS);
  const meanwhile = rig.events.sent.filter(({ sentAtMs }) => sentAtMs >= fromMs && sentAtMs <= untilMs);
  const tookMs = ({ sentAtMs, answeredAtMs }: SentEvent) => Math.min(answeredAtMs, nowMs()) - sentAtMs;
  const slowest = Math.max(0, ...meanwhile.map(tookMs));
  const others = meanwhile.filter(({ detail }) => !/^(202|503 (not_accepted|outcome_unknown))/.test(detail));
  notes.figure('sent_meanwhile', meanwhile.length);
  notes.figure('slowest_answer_ms', Math.round(slowest));
  notes.expect(slowest <= ANSWERED_WITHIN_MS, `an event waited ${Math.round(slowest)} ms for its answer`);
  const said = new Set(others.map(({ detail }) => detail));
  notes.expect(others.length === 0, `${others.length} events were answered ${[...said].join(', ')}`);
}
