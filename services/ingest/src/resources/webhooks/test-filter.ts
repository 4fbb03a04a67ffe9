import { compileFilter, MAX_EVENT_BYTES, routedEvent } from '@posthorn/contracts';
import Type, { type Static } from 'typebox';
import { readLabels } from '../../accept/check-fields.ts';
import { type Member, readMemberKey } from '../../accept/payload-span.ts';
import { JSON_CONTENT_TYPE } from '../../accept/posted-event.ts';
import type { App, AppParts } from '../../http/app.ts';
import { operation } from '../../http/operation.ts';
import { type Fault, invalidRequest, isProblem, type Problem, sendProblem } from '../../http/problem.ts';
import { checkJson, NOT_AN_OBJECT } from '../../http/read-json.ts';
import { pointerTo } from '../../http/validation.ts';

const FilterTest = Type.Object(
  {
    filter: Type.Object({}, { additionalProperties: true, description: 'What a webhook would have.' }),
    payload: Type.Optional(Type.Unknown({ description: 'Of the event. Left out: one that is no JSON.' })),
    labels: Type.Optional(Type.Record(Type.String(), Type.String())),
  },
  {
    title: 'FilterTest',
    additionalProperties: false,
    examples: [
      {
        filter: { labels: { region: 'eu' }, payload: { order: { total: { $gte: 100 } } } },
        payload: { order: { id: 17, total: 129.9 } },
        labels: { region: 'eu' },
      },
    ],
  },
);

const FilterTestResult = Type.Object(
  { matches: Type.Boolean({ description: 'Whether a webhook with this filter would get the event.' }) },
  { title: 'FilterTestResult', examples: [{ matches: true }] },
);

const FILTER_CHARS_IN_REQUEST = 64 * 1024;

export function testFilter(app: App, _parts: AppParts): void {
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/json', { parseAs: 'buffer' }, asItIs);
    const declared = operation({
      id: 'testFilter',
      tag: 'Webhooks',
      summary: 'Try a content filter',
      description:
        'Says whether an event with this payload and these labels would pass, or where the filter is malformed. Nothing is stored or sent. Numbers are compared as they are written here.',
      access: { scope: 'read', callers: ['operator', 'tenant', 'portal'] },
      bodies: { 'application/json': FilterTest },
      bodyLimit: MAX_EVENT_BYTES + FILTER_CHARS_IN_REQUEST,
      answers: { 200: FilterTestResult },
      problems: ['invalid_json'],
    });
    (scope as App).post('/webhooks/filter/test', declared, async (request, reply) => {
      const result = runFilterTest(Buffer.isBuffer(request.body) ? request.body : NO_BODY);
      return isProblem(result) ? sendProblem(reply, result) : reply.send(result);
    });
  });
}

const asItIs = async (_request: unknown, body: Buffer): Promise<Buffer> => body;
const NO_BODY = Buffer.alloc(0);
const FIELDS = ['filter', 'payload', 'labels'] as const;
type Field = (typeof FIELDS)[number];

/** The payload is taken as its own bytes, as of an event: what JSON.parse makes of a long number is another one. */
export function runFilterTest(body: Buffer): Static<typeof FilterTestResult> | Problem {
  const document = checkJson(body);
  if (document === null) return NOT_AN_OBJECT;
  if (isProblem(document)) return document;
  const faults: Fault[] = [];
  const found = findFields(body, document.members, faults);
  const given = (field: Field): unknown => (found[field] ? readValue(body, found[field]) : undefined);
  const labels = readLabels(given('labels'), '/labels', faults);
  const filter = found.filter ? compileFilter(given('filter')) : MISSING;
  if (filter.kind === 'faults') {
    faults.push(...filter.faults.map(({ pointer, detail }) => ({ pointer: `/filter${pointer}`, detail })));
    return invalidRequest(faults);
  }
  if (faults.length > 0) return invalidRequest(faults);
  const { payload } = found;
  const bytes = payload ? body.subarray(payload.valueStart, payload.valueEnd) : NO_BODY;
  const event = routedEvent({ type: '', labels, contentType: JSON_CONTENT_TYPE }, bytes);
  return { matches: filter.matches(event) };
}

const MISSING = { kind: 'faults', faults: [{ pointer: '', detail: 'is required' }] } as const;

function findFields(
  body: Buffer,
  members: readonly Member[],
  faults: Fault[],
): Partial<Record<Field, Member>> {
  const found: Partial<Record<Field, Member>> = {};
  for (const member of members) {
    const key = readMemberKey(body, member);
    const field = FIELDS.find((each) => each === key);
    if (field) found[field] = member;
    else faults.push({ pointer: pointerTo(key), detail: 'is not a known field' });
  }
  return found;
}

const readValue = (body: Buffer, member: Member): unknown =>
  JSON.parse(body.toString('utf8', member.valueStart, member.valueEnd));
