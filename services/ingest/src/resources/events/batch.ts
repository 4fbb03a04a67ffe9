import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { keyOnBatch } from '../../accept/once/idempotency-key.ts';
import { parseCloudEvent } from '../../accept/parse-cloud-event.ts';
import { parseEvent } from '../../accept/parse-event.ts';
import { JSON_CONTENT_TYPE } from '../../accept/posted-event.ts';
import { CLOUD_EVENTS_BATCH_TYPE, essenceOf } from '../../accept/read-event.ts';
import {
  MAX_BATCH_BYTES,
  MAX_BATCH_ITEMS,
  NO_ITEMS,
  splitArray,
  splitLines,
} from '../../accept/split-batch.ts';
import type { App, AppParts } from '../../http/app.ts';
import { operation } from '../../http/operation.ts';
import { isProblem, type Problem, problem, sendProblem } from '../../http/problem.ts';
import { acceptBatch, type Batch, type ItemResult, viewResults } from './accept-batch.ts';
import { PROBLEMS_OF_EVENT } from './post.ts';
import { BatchResult, CloudEvent, NewEvent } from './schema.ts';

const NDJSON_TYPE = 'application/x-ndjson';
const LINE_TYPES = [NDJSON_TYPE, 'application/ndjson', 'application/jsonl'];

const bounds = { minItems: 1, maxItems: MAX_BATCH_ITEMS };
const exampleOf = ({ examples }: object & { examples?: readonly unknown[] }): unknown => examples?.[0];
const Events = Type.Array(NewEvent, { ...bounds, examples: [[exampleOf(NewEvent)]] });
const CloudEvents = Type.Array(CloudEvent, { ...bounds, examples: [[exampleOf(CloudEvent)]] });
const Lines = Type.String({
  description: 'One event on each line, as `/events` takes it.',
  examples: [`${JSON.stringify(exampleOf(NewEvent))}\n`],
});

export function postBatch(app: App, parts: AppParts): void {
  takeArraysAndLines(app);
  const declared = operation({
    id: 'postEventBatch',
    tag: 'Events',
    summary: 'Post many events at once',
    description: DESCRIPTION,
    access: { scope: 'ingest' },
    bodies: { [JSON_CONTENT_TYPE]: Events, [NDJSON_TYPE]: Lines, [CLOUD_EVENTS_BATCH_TYPE]: CloudEvents },
    bodyLimit: MAX_BATCH_BYTES,
    answers: {
      202: Type.Object(BatchResult.properties, { ...titled, description: 'All were accepted.' }),
      207: Type.Object(BatchResult.properties, { ...titled, description: 'Some or all were refused.' }),
    },
    problems: [...PROBLEMS_OF_EVENT, 'batch_too_large'],
  });
  app.post('/events/batch', declared, async (request, reply) => {
    const batch = await readBatch(request);
    if (isProblem(batch)) return sendProblem(reply, batch);
    const results = await acceptBatch(parts, batch, (result, bytes) => observe(parts, result, bytes));
    return answer(reply, results);
  });
}

const DESCRIPTION = `A JSON array, newline-delimited JSON or a batch of CloudEvents: ${MAX_BATCH_ITEMS} events and 5 MB at most. Each event is
accepted or refused by itself, and has its result at its place: one that is invalid, or over the quota, does not sink the
others. 202 says that all were accepted, 207 that some were not. Lines are read while they arrive and accepted as they are
read: when the connection breaks, those sent by then may have been accepted. An \`event_id\` in each makes it safe to send
the whole batch again. Of each event at most 5 faults are listed. Delivery ids are not in the results, and the order of events is not
kept.`;

const titled = { title: 'BatchResult', examples: [exampleOf(BatchResult)] };

/** Arrays are taken whole, lines as they come. */
function takeArraysAndLines(app: App): void {
  app.removeAllContentTypeParsers();
  const whole = [JSON_CONTENT_TYPE, CLOUD_EVENTS_BATCH_TYPE];
  app.addContentTypeParser(whole, { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addContentTypeParser(LINE_TYPES, (_request, body, done) => done(null, body));
}

async function readBatch(request: FastifyRequest): Promise<Batch | Problem> {
  const { caller, headers, body } = request;
  if (headers['idempotency-key'] !== undefined) return keyOnBatch;
  const contentType = essenceOf(headers['content-type']);
  const read = contentType === CLOUD_EVENTS_BATCH_TYPE ? parseCloudEvent : parseEvent;
  if (!LINE_TYPES.includes(contentType)) {
    const items = await splitArray(Buffer.isBuffer(body) ? body : Buffer.alloc(0));
    return isProblem(items) ? items : { caller, headers, items, read };
  }
  if (Number(headers['content-length'] ?? 0) > MAX_BATCH_BYTES) return TOO_LARGE;
  return { caller, headers, items: splitLines(body as IncomingMessage), read };
}

const TOO_LARGE = problem('batch_too_large', `${MAX_BATCH_BYTES} bytes are allowed`);

function observe({ ingestMetrics }: AppParts, result: ItemResult, bytes: number): void {
  ingestMetrics.countEvent(isProblem(result) ? result.code : 'accepted');
  if (!isProblem(result)) ingestMetrics.countPayloadBytes(bytes);
}

function answer(reply: FastifyReply, results: readonly ItemResult[]): FastifyReply {
  const last = results.at(-1);
  if (last === undefined) return sendProblem(reply, NO_ITEMS);
  // The rest of the body was left unread.
  if (isProblem(last) && last.code === 'batch_too_large') reply.header('connection', 'close');
  const view = viewResults(results);
  return reply.code(view.refused === 0 ? 202 : 207).send(view);
}
