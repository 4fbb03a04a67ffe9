import Type, { type Static } from 'typebox';
import { actorOf } from '../../access/actor.ts';
import type { App, AppParts } from '../../http/app.ts';
import { operation } from '../../http/operation.ts';
import {
  type Fault,
  invalidRequest,
  isProblem,
  MAX_FAULTS,
  type Problem,
  problem,
  sendProblem,
} from '../../http/problem.ts';
import { CHANGE, FULL } from './change.ts';
import { checkVersion } from './check-version.ts';
import { type PlannedType, planType } from './plan-import.ts';
import { type DescribedType, MAX_IMPORTED_TYPES, readDocument } from './read-document.ts';
import { Enforcement, ORDER_EXAMPLE, ORDER_SCHEMA } from './schema.ts';
import type { VersionTexts } from './store.ts';

const MAX_DOCUMENT_BYTES = 2 * 1024 * 1024;

const DOCUMENT_EXAMPLE = {
  openapi: '3.1.0',
  info: { title: 'Shop', version: '1' },
  webhooks: {
    'order.created': {
      post: {
        description: 'An order was placed.',
        requestBody: {
          content: { 'application/json': { schema: ORDER_SCHEMA, example: ORDER_EXAMPLE } },
        },
      },
    },
  },
};

const Import = Type.Object(
  {
    document: Type.Object(
      {},
      { additionalProperties: true, description: 'An OpenAPI 3.1 document, as JSON.' },
    ),
    dry_run: Type.Optional(Type.Boolean({ description: 'Say what would be done and do nothing.' })),
    enforcement: Type.Optional(Enforcement),
  },
  {
    title: 'EventTypeImport',
    additionalProperties: false,
    examples: [{ document: DOCUMENT_EXAMPLE, dry_run: true }],
  },
);

const Imported = Type.Object(
  {
    dry_run: Type.Boolean(),
    created: Type.Integer(),
    changed: Type.Integer(),
    unchanged: Type.Integer(),
    types: Type.Array(
      Type.Object({
        name: Type.String(),
        action: Type.Enum(['create', 'add_version', 'change', 'none']),
      }),
    ),
  },
  {
    title: 'ImportedEventTypes',
    examples: [
      {
        dry_run: true,
        created: 1,
        changed: 0,
        unchanged: 0,
        types: [{ name: 'order.created', action: 'create' }],
      },
    ],
  },
);

export function importEventTypes(app: App, parts: AppParts): void {
  const declared = operation({
    id: 'importEventTypes',
    tag: 'Event types',
    summary: 'Import event types from an OpenAPI document',
    description: DESCRIPTION,
    access: CHANGE,
    body: Import,
    bodyLimit: MAX_DOCUMENT_BYTES,
    answers: { 200: Imported },
    problems: ['too_many_event_types', 'change_conflict'],
  });
  app.post('/event-types/import', declared, async (request, reply) => {
    const { document, dry_run: isDryRun = false, enforcement = 'off' } = request.body;
    const plan = await planImport(parts, document, enforcement);
    if (isProblem(plan)) return sendProblem(reply, plan);
    const steps = plan.flatMap(({ step }) => step ?? []);
    if (!isDryRun && steps.length > 0) {
      const actor = actorOf(request);
      const applied = await parts.store.eventTypes.apply(steps, actor);
      if (applied !== 'applied') return sendProblem(reply, applied === 'too_many' ? FULL : CONFLICT);
      await parts.catalogue.poll();
      parts.log.info({ event_types: steps.length, key_id: actor.keyId }, 'event types imported');
    }
    return reply.send(viewPlan(plan, isDryRun));
  });
}

const DESCRIPTION = `Each entry of the document's \`webhooks\` becomes an event type of its name, with the description, the
JSON Schema (components that it refers to come with it) and the examples of its request body; \`deprecated\` is taken over.
Types that are there already get a new version where schema or examples differ; types that the document does not name stay as
they are. \`enforcement\` is that of new types (\`off\` when left out). All of it is done or, where anything has a fault,
nothing. At most ${MAX_IMPORTED_TYPES} types and 2 MB.`;

const CONFLICT = problem('change_conflict', 'somebody else changed these event types meanwhile: try again');

async function planImport(
  { payloadChecks, store }: AppParts,
  document: unknown,
  enforcement: Static<typeof Enforcement>,
): Promise<readonly PlannedType[] | Problem> {
  const faults: Fault[] = [];
  const described = readDocument(document, faults);
  if (faults.length > 0) return invalidRequest(faults);
  const texts: VersionTexts[] = [];
  for (const type of described) {
    const checked = await checkVersion(payloadChecks, type);
    if (!isProblem(checked)) texts.push(checked);
    else if (checked.errors === undefined) return checked;
    else faults.push(...checked.errors.map((fault) => inDocument(type, fault)));
    if (faults.length > MAX_FAULTS) break;
  }
  if (faults.length > 0) return invalidRequest(faults);
  const found = await store.eventTypes.findCurrent(described.map(({ name }) => name));
  const byName = new Map(found.map((row) => [row.name, row]));
  return described.map((type, i) => planType(type, texts[i]!, byName.get(type.name), enforcement));
}

/** Faults of a schema lead into the bundled one, which begins like that of the document. */
const inDocument = ({ pointer: at }: DescribedType, { pointer, detail }: Fault): Fault => ({
  pointer: `${at}${pointer.replace(/^\/schema/, '')}`,
  detail,
});

function viewPlan(plan: readonly PlannedType[], isDryRun: boolean): Static<typeof Imported> {
  const count = (...actions: PlannedType['action'][]): number =>
    plan.filter(({ action }) => actions.includes(action)).length;
  return {
    dry_run: isDryRun,
    created: count('create'),
    changed: count('add_version', 'change'),
    unchanged: count('none'),
    types: plan.map(({ name, action }) => ({ name, action })),
  };
}
