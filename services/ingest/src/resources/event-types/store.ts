import {
  type Actor,
  type CurrentEventType,
  type EventTypeChanges,
  type EventTypeFilter,
  type EventTypeRow,
  type EventTypeState,
  type EventTypeVersionRow,
  findCurrentEventTypes,
  findEventType,
  insertAuditEntry,
  insertEventType,
  insertEventTypeVersion,
  inTransaction,
  listEventTypes,
  listEventTypeVersions,
  lockCatalogue,
  type NewEventType,
  type PlaceInList,
  type Sql,
  updateEventType,
} from '@posthorn/db';
import { changeOf } from '../../access/redact.ts';

export type VersionTexts = Pick<EventTypeVersionRow, 'schema' | 'examples'>;

/** What an import does to one type. */
export type ImportStep =
  | { readonly kind: 'create'; readonly type: NewEventType }
  | {
      readonly kind: 'change';
      readonly name: string;
      readonly changes: EventTypeChanges;
      /** Null: its schema and examples are what they were. */
      readonly version: VersionTexts | null;
    };

export interface EventTypeStore {
  list(filter: EventTypeFilter, place: PlaceInList): Promise<EventTypeRow[]>;
  listVersions(name: string): Promise<EventTypeVersionRow[]>;
  create(type: NewEventType, actor: Actor): Promise<'created' | 'exists' | 'too_many'>;
  change(name: string, changes: EventTypeChanges, actor: Actor): Promise<ChangeOutcome>;
  addVersion(name: string, texts: VersionTexts, actor: Actor): Promise<VersionAdded>;
  findCurrent(names: readonly string[]): Promise<CurrentEventType[]>;
  /** All of it or nothing. `conflict`: somebody else made or removed one of the types meanwhile. */
  apply(steps: readonly ImportStep[], actor: Actor): Promise<'applied' | StepRefusal>;
}

export type ChangeOutcome = 'changed' | 'unknown_type' | 'unknown_version';
export type StepRefusal = 'too_many' | 'conflict';

type VersionAdded = Awaited<ReturnType<typeof insertEventTypeVersion>>;

export function openEventTypeStore(pool: Sql): EventTypeStore {
  return {
    list: (filter, place) => listEventTypes(pool, filter, place),
    listVersions: (name) => listEventTypeVersions(pool, name),
    create: (type, actor) => inTransaction(pool, (sql) => create(sql, type, actor)),
    change: (name, changes, actor) => inTransaction(pool, (sql) => change(sql, name, changes, actor)),
    addVersion: (name, texts, actor) => inTransaction(pool, (sql) => addVersion(sql, name, texts, actor)),
    findCurrent: (names) => findCurrentEventTypes(pool, names),
    async apply(steps, actor) {
      try {
        await inTransaction(pool, async (sql) => {
          for (const step of steps) await apply(sql, step, actor);
        });
        return 'applied';
      } catch (error) {
        if (error instanceof RefusedStep) return error.refusal;
        throw error;
      }
    },
  };
}

/** Takes back the steps before it. */
class RefusedStep extends Error {
  override name = 'RefusedStep';
  readonly refusal: StepRefusal;
  constructor(refusal: StepRefusal) {
    super(refusal);
    this.refusal = refusal;
  }
}

async function create(sql: Sql, type: NewEventType, actor: Actor) {
  const created = await insertEventType(sql, type);
  if (created !== 'created') return created;
  const { name, description, enforcement } = type;
  const after = { name, description, enforcement, version: 1 };
  await insertAuditEntry(sql, { actor, action: 'event_type.created', tenantId: null, subject: name, after });
  return created;
}

async function change(
  sql: Sql,
  name: string,
  changes: EventTypeChanges,
  actor: Actor,
): Promise<ChangeOutcome> {
  await lockCatalogue(sql);
  const found = await findEventType(sql, name);
  if (found === null) return 'unknown_type';
  if ((await updateEventType(sql, name, changes)) === null) return 'unknown_version';
  await insertAuditEntry(sql, {
    actor,
    action: changes.state === undefined ? 'event_type.updated' : ACTION_OF[changes.state],
    tenantId: null,
    subject: name,
    ...changeOf({ ...found }, { ...changes }),
  });
  return 'changed';
}

const ACTION_OF: Readonly<Record<EventTypeState, string>> = {
  active: 'event_type.activated',
  deprecated: 'event_type.deprecated',
  archived: 'event_type.archived',
};

async function addVersion(sql: Sql, name: string, texts: VersionTexts, actor: Actor): Promise<VersionAdded> {
  const added = await insertEventTypeVersion(sql, name, texts);
  if (added === null || added === 'too_many') return added;
  const detail = { version: added.version };
  await insertAuditEntry(sql, {
    actor,
    action: 'event_type.version_added',
    tenantId: null,
    subject: name,
    detail,
  });
  return added;
}

async function apply(sql: Sql, step: ImportStep, actor: Actor): Promise<void> {
  if (step.kind === 'create') {
    const created = await create(sql, step.type, actor);
    if (created !== 'created') throw new RefusedStep(created === 'exists' ? 'conflict' : created);
    return;
  }
  const { name, changes, version } = step;
  if (version) {
    const added = await addVersion(sql, name, version, actor);
    if (added === null || added === 'too_many') throw new RefusedStep(added ?? 'conflict');
  }
  if (Object.keys(changes).length === 0) return;
  if ((await change(sql, name, changes, actor)) !== 'changed') throw new RefusedStep('conflict');
}
