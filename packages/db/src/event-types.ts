import { inTransaction, type Sql } from './database.ts';
import type { PlaceInList } from './place-in-list.ts';

export type EventTypeState = 'active' | 'deprecated' | 'archived';
/** What becomes of an event that does not fit its type's schema. */
export type Enforcement = 'off' | 'warn' | 'reject';
/** What becomes of a tenant's events of types that are not in the catalogue. */
export type UnknownTypePolicy = 'allow' | 'warn' | 'reject';

export interface EventTypeVersionRow {
  readonly version: number;
  /** JSON text; null for a type that says nothing of its payload. */
  readonly schema: string | null;
  /** JSON text of an array. */
  readonly examples: string;
  readonly createdAt: Date;
}

export interface EventTypeRow {
  readonly name: string;
  readonly description: string;
  readonly state: EventTypeState;
  readonly enforcement: Enforcement;
  readonly currentVersion: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export interface NewEventType {
  readonly name: string;
  readonly description: string;
  readonly enforcement: Enforcement;
  readonly state?: EventTypeState;
  readonly schema: string | null;
  readonly examples: string;
}

export interface EventTypeChanges {
  readonly description?: string;
  readonly state?: EventTypeState;
  readonly enforcement?: Enforcement;
  readonly currentVersion?: number;
}

/** The whole catalogue is held in memory by every replica of ingest. */
export const MAX_EVENT_TYPES = 2_000;
export const MAX_EVENT_TYPE_VERSIONS = 100;

/** Changes of the catalogue wait for one another, so that its bounds hold and what was read before a change is what it changes. */
export async function lockCatalogue(transaction: Sql): Promise<void> {
  await transaction`select revision from event_catalogue for update`;
}

/** Makes the type with its first version. */
export async function insertEventType(
  sql: Sql,
  type: NewEventType,
): Promise<'created' | 'exists' | 'too_many'> {
  return inTransaction(sql, async (transaction) => {
    await lockCatalogue(transaction);
    const [there] = await transaction<{ count: number; exists: boolean }[]>`
      select count(*)::int as count, coalesce(bool_or(name = ${type.name}), false) as exists from event_types`;
    if (there!.exists) return 'exists';
    if (there!.count >= MAX_EVENT_TYPES) return 'too_many';
    await transaction`
      insert into event_types (name, description, state, enforcement)
      values (${type.name}, ${type.description}, ${type.state ?? 'active'}, ${type.enforcement})`;
    await transaction`
      insert into event_type_versions (name, version, schema, examples)
      values (${type.name}, 1, ${type.schema}, ${type.examples})`;
    return 'created';
  });
}

/** Changes the fields that are given. Null when there is no such type, or not the version that is to be current. */
export async function updateEventType(
  sql: Sql,
  name: string,
  changes: EventTypeChanges,
): Promise<EventTypeRow | null> {
  return inTransaction(sql, async (transaction) => {
    await lockCatalogue(transaction);
    const version = changes.currentVersion ?? null;
    const [row] = await transaction<EventTypeRow[]>`
      update event_types set
        description = coalesce(${changes.description ?? null}::text, description),
        state = coalesce(${changes.state ?? null}::text, state),
        enforcement = coalesce(${changes.enforcement ?? null}::text, enforcement),
        current_version = coalesce(${version}::int, current_version),
        updated_at = now()
      where name = ${name} and (${version}::int is null or exists (
        select 1 from event_type_versions v where v.name = ${name} and v.version = ${version}::int))
      returning name, description, state, enforcement, current_version, created_at, updated_at`;
    return row ?? null;
  });
}

/** Adds a version and makes it the current one. Null when there is no such type. */
export async function insertEventTypeVersion(
  sql: Sql,
  name: string,
  { schema, examples }: Pick<EventTypeVersionRow, 'schema' | 'examples'>,
): Promise<{ readonly version: number } | 'too_many' | null> {
  return inTransaction(sql, async (transaction) => {
    await lockCatalogue(transaction);
    const [last] = await transaction<{ version: number | null; count: number }[]>`
      select max(version) as version, count(*)::int as count from event_type_versions where name = ${name}`;
    if (last?.version === null || last === undefined) return null;
    if (last.count >= MAX_EVENT_TYPE_VERSIONS) return 'too_many';
    const version = last.version + 1;
    await transaction`
      insert into event_type_versions (name, version, schema, examples)
      values (${name}, ${version}, ${schema}, ${examples})`;
    await transaction`
      update event_types set current_version = ${version}, updated_at = now() where name = ${name}`;
    return { version };
  });
}

/** Null when there is no such type. */
export async function findEventType(sql: Sql, name: string): Promise<EventTypeRow | null> {
  const [row] = await sql<EventTypeRow[]>`
    select name, description, state, enforcement, current_version, created_at, updated_at
    from event_types where name = ${name}`;
  return row ?? null;
}

export interface CurrentEventType extends EventTypeRow, Pick<EventTypeVersionRow, 'schema' | 'examples'> {}

/** Those of these types that there are, with what their current versions say. */
export async function findCurrentEventTypes(sql: Sql, names: readonly string[]): Promise<CurrentEventType[]> {
  return sql<CurrentEventType[]>`
    select t.name, t.description, t.state, t.enforcement, t.current_version, t.created_at, t.updated_at,
           v.schema, v.examples
    from event_types t join event_type_versions v on v.name = t.name and v.version = t.current_version
    where t.name = any(${[...names]}::text[])`;
}

/** Newest first. */
export async function listEventTypeVersions(sql: Sql, name: string): Promise<EventTypeVersionRow[]> {
  return sql<EventTypeVersionRow[]>`
    select version, schema, examples, created_at from event_type_versions
    where name = ${name} order by version desc limit ${MAX_EVENT_TYPE_VERSIONS}`;
}

export interface EventTypeFilter {
  /** Left out: all that are not archived. */
  readonly state?: EventTypeState | undefined;
  /** How the name begins. */
  readonly prefix?: string | undefined;
}

/** By name; backwards, in the opposite order. */
export async function listEventTypes(
  sql: Sql,
  { state, prefix = '' }: EventTypeFilter,
  { at, backwards, limit }: PlaceInList,
): Promise<EventTypeRow[]> {
  const beyond = at === null ? sql`true` : backwards ? sql`name < ${at}` : sql`name > ${at}`;
  return sql<EventTypeRow[]>`
    select name, description, state, enforcement, current_version, created_at, updated_at
    from event_types
    where ${state === undefined ? sql`state <> 'archived'` : sql`state = ${state}`}
      and starts_with(name, ${prefix}) and ${beyond}
    order by name ${backwards ? sql`desc` : sql``} limit ${limit}`;
}

/** One type of the catalogue with its current version. */
export interface CatalogueRow {
  readonly name: string;
  readonly state: EventTypeState;
  readonly enforcement: Enforcement;
  readonly version: number;
  readonly schema: string | null;
  readonly examples: string;
}

/** By it a reader sees whether the catalogue has changed since he read it. */
export async function findCatalogueRevision(sql: Sql): Promise<number> {
  const [row] = await sql<{ revision: number }[]>`select revision from event_catalogue`;
  return row!.revision;
}

export async function loadCatalogue(sql: Sql): Promise<CatalogueRow[]> {
  return sql<CatalogueRow[]>`
    select t.name, t.state, t.enforcement, v.version, v.schema, v.examples
    from event_types t join event_type_versions v on v.name = t.name and v.version = t.current_version`;
}
