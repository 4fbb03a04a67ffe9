import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Static } from 'typebox';
import { type AcceptedEvent, type AcceptParts, acceptEvent } from '../../accept/accept-event.ts';
import type { ReadContext } from '../../accept/check-fields.ts';
import type { Warning } from '../../accept/check-type.ts';
import type { PostedEvent } from '../../accept/posted-event.ts';
import { BYTES_PER_TURN } from '../../accept/split-batch.ts';
import type { Caller } from '../../access/caller.ts';
import { isProblem, type Problem, problem, retryAfter } from '../../http/problem.ts';
import { PROBLEMS } from '../../http/problem-catalogue.ts';
import { isDatabaseAway } from '../../store.ts';
import { traceparentOf } from './post.ts';
import type { BatchResult } from './schema.ts';

/** Of one batch: what waits for Kafka at once. */
export const MAX_BATCH_EVENTS_IN_FLIGHT = 64;

export interface Batch {
  readonly caller: Caller;
  readonly headers: Readonly<Record<string, unknown>>;
  /** The bytes of each event, or what is wrong with it before it is read. */
  readonly items: Iterable<Buffer | Problem> | AsyncIterable<Buffer | Problem>;
  readonly read: (item: Buffer, context: ReadContext) => PostedEvent | Problem;
}

export type ItemResult = AcceptedEvent | Problem;

/**
 * Accepts the events of a batch one by one, each as if it had come alone: its own faults, quota and answer. No more
 * than a bounded number is under way, and no further one is read meanwhile.
 */
export async function acceptBatch(
  parts: AcceptParts,
  batch: Batch,
  observe: (result: ItemResult, bytes: number) => void,
): Promise<ItemResult[]> {
  const results: ItemResult[] = [];
  const underWay = new Set<Promise<void>>();
  let index = 0;
  let bytesRead = 0;
  for await (const item of batch.items) {
    if (underWay.size >= MAX_BATCH_EVENTS_IN_FLIGHT) await Promise.race(underWay);
    bytesRead += isProblem(item) ? 0 : item.length;
    if (bytesRead > BYTES_PER_TURN) {
      bytesRead = 0;
      await nextTurn();
    }
    const place = index++;
    const accepting = acceptItem(parts, batch, item).then((result) => {
      results[place] = withFewFaults(result);
      underWay.delete(accepting);
      observe(result, isProblem(item) ? 0 : item.length);
    });
    underWay.add(accepting);
  }
  await Promise.all(underWay);
  return results;
}

/**
 * Faults that are listed of one event. A thousand events that have each as many as a request may be told of make an
 * answer many times the size of the batch.
 */
export const MAX_FAULTS_OF_EVENT = 5;

function withFewFaults(result: ItemResult): ItemResult {
  if (isProblem(result)) return cut(result);
  return result.warnings ? { ...result, warnings: result.warnings.map(cut) } : result;
}

function cut<T extends Problem | Warning>(told: T): T {
  const { errors = [] } = told;
  if (errors.length <= MAX_FAULTS_OF_EVENT) return told;
  const detail = `more than ${MAX_FAULTS_OF_EVENT} faults, the first ${MAX_FAULTS_OF_EVENT} are listed`;
  return { ...told, detail, errors: errors.slice(0, MAX_FAULTS_OF_EVENT) };
}

async function acceptItem(
  parts: AcceptParts,
  { caller, headers, read }: Batch,
  item: Buffer | Problem,
): Promise<ItemResult> {
  if (isProblem(item)) return item;
  const event = read(item, { nowMs: parts.clock.nowMs(), tenantId: caller.tenantId });
  if (isProblem(event)) return event;
  try {
    const traceparent = traceparentOf(headers, event);
    return await acceptEvent(parts, { caller, event, traceparent, idempotencyKey: null, source: item });
  } catch (error) {
    if (isDatabaseAway(error)) return problem('database_unavailable', 'try again', retryAfter(1));
    parts.log.error({ err: error }, 'event of a batch failed');
    return problem('internal', 'it may have been accepted');
  }
}

export function viewResults(results: readonly ItemResult[]): Static<typeof BatchResult> {
  const shown = results.map((result, index) =>
    isProblem(result) ? viewProblem(result, index) : viewAccepted(result, index),
  );
  const refused = results.filter(isProblem).length;
  return { accepted: results.length - refused, refused, results: shown };
}

/** Without delivery ids: a hash for each of up to a hundred, a thousand times over, is not asked for. */
function viewAccepted({ delivery_ids: _ids, warnings, ...event }: AcceptedEvent, index: number) {
  return { index, status: 202 as const, ...event, ...(warnings ? { warnings: viewWarnings(warnings) } : {}) };
}

const viewWarnings = (warnings: readonly Warning[]) =>
  warnings.map(({ code, detail, errors }) => ({ code, detail, ...(errors ? { errors: [...errors] } : {}) }));

function viewProblem({ code, detail, errors, members, headers }: Problem, index: number) {
  const seconds = headers?.['retry-after'];
  return {
    index,
    status: PROBLEMS[code].status,
    problem: {
      code,
      detail,
      ...(errors ? { errors: [...errors] } : {}),
      ...(seconds === undefined ? {} : { retry_after: Number(seconds) }),
      ...members,
    },
  };
}
