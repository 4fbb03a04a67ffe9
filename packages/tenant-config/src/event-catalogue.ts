import { hash } from 'node:crypto';
import {
  type CatalogueRow,
  type Database,
  type Enforcement,
  type EventTypeState,
  findCatalogueRevision,
  loadCatalogue,
  within,
} from '@posthorn/db';
import type { Logger } from '@posthorn/runtime';
import { LOAD_TIMEOUT_MS, POLL_TIMEOUT_MS } from './config-source.ts';
import { createPoller } from './poller.ts';

/** A type of event, as its current version says. */
export interface CatalogueEntry {
  readonly name: string;
  readonly state: EventTypeState;
  readonly enforcement: Enforcement;
  readonly version: number;
  /** JSON text; null for a type that says nothing of its payload. */
  readonly schema: string | null;
  /** Names the schema's text: the same for the same text. Empty without one. */
  readonly schemaKey: string;
  /** JSON text of the first example of a payload. */
  readonly example: string | null;
}

/** Where the catalogue comes from: Postgres, or a test. */
export interface CatalogueSource {
  revision(): Promise<number>;
  load(): Promise<readonly CatalogueRow[]>;
}

export interface EventCatalogueOptions {
  readonly source: CatalogueSource;
  readonly log: Pick<Logger, 'info' | 'warn'>;
  readonly pollIntervalMs?: number;
}

export const CATALOGUE_POLL_INTERVAL_MS = 1_000;

/**
 * The catalogue of event types, whole and in memory, at most a poll behind Postgres while that answers.
 *
 * Modes: `unread` (nothing is known: `loaded` is false) → `current` ⇄ `away` (what was read last is served). Only a
 * poll moves between them; at most one is under way.
 */
export interface EventCatalogue {
  /** Returns after the first poll, whether or not Postgres answered it. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Compares with Postgres now, in a poll that starts after this call; false when it does not answer. */
  poll(): Promise<boolean>;
  find(name: string): CatalogueEntry | undefined;
  readonly loaded: boolean;
  readonly size: number;
}

export const catalogueSource = ({ sql }: Pick<Database, 'sql'>): CatalogueSource => ({
  revision: () => within(POLL_TIMEOUT_MS, findCatalogueRevision(sql)),
  load: () => within(LOAD_TIMEOUT_MS, loadCatalogue(sql)),
});

export function createEventCatalogue(options: EventCatalogueOptions): EventCatalogue {
  const { source, log, pollIntervalMs = CATALOGUE_POLL_INTERVAL_MS } = options;
  let entries: ReadonlyMap<string, CatalogueEntry> = new Map();
  let revision = -1;
  let away = false;

  async function pollOnce(): Promise<boolean> {
    try {
      const found = await source.revision();
      if (found !== revision) {
        const rows = await source.load();
        entries = new Map(rows.map((row) => [row.name, toEntry(row)]));
        // Changes after the number was read may be in the rows as well: the next poll reads them again.
        revision = found;
      }
      if (away) log.info({ revision }, 'event types are current again');
      away = false;
    } catch (error) {
      if (!away) log.warn({ err: error }, 'event types cannot be read, serving what is known');
      away = true;
    }
    return !away;
  }

  const poller = createPoller(pollOnce, pollIntervalMs);
  return {
    start: () => poller.start(),
    async stop() {
      await poller.stop();
    },
    poll: () => poller.poll(),
    find: (name) => entries.get(name),
    get loaded() {
      return revision !== -1;
    },
    get size() {
      return entries.size;
    },
  };
}

const toEntry = ({ examples, ...row }: CatalogueRow): CatalogueEntry => ({
  ...row,
  schemaKey: row.schema === null ? '' : hash('sha256', row.schema, 'base64'),
  example: firstOf(examples),
});

/** What SQL behind the API has put there may be anything: one bad row keeps nothing else from being read. */
function firstOf(examples: string): string | null {
  try {
    const [first] = JSON.parse(examples);
    return first === undefined ? null : JSON.stringify(first);
  } catch {
    return null;
  }
}
