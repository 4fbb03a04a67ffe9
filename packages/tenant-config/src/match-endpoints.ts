import {
  type CompiledFilter,
  carriesLabels,
  compileFilter,
  type EndpointId,
  type RoutedEvent,
} from '@posthorn/contracts';
import type { EndpointScope } from '@posthorn/db';
import type { EndpointConfig, EndpointVersion, TenantConfig } from './tenant-config.ts';

interface Candidate {
  /** The endpoint's place in the configuration: matches come in this order. */
  readonly place: number;
  readonly endpointId: EndpointId;
  readonly version: EndpointVersion;
  /** Whether it has label conditions at all. */
  readonly labelled: boolean;
  /** Null for none. */
  readonly filter: Pick<CompiledFilter, 'matches'> | null;
}

/** A tenant's versions by what their type filters ask for. */
interface TypeIndex {
  readonly every: readonly Candidate[];
  readonly exact: ReadonlyMap<string, readonly Candidate[]>;
  /** By the part before `.*`. */
  readonly prefix: ReadonlyMap<string, readonly Candidate[]>;
}

/** Endpoints of one scope by the configuration they are of. */
type Indexes = WeakMap<TenantConfig, TypeIndex>;

const indexes: Readonly<Record<EndpointScope, Indexes>> = {
  tenant: new WeakMap(),
  all_tenants: new WeakMap(),
};

/**
 * The endpoints that get an event of this tenant: those with a version valid at `revision`, one of whose type filters
 * matches, all of whose labels the event carries, and whose content filter it passes. In the order of the configuration,
 * each once. What an endpoint's state is now does not matter: a closed one has no version valid at later revisions.
 */
export const matchingEndpoints = (config: TenantConfig, event: RoutedEvent, revision: number): EndpointId[] =>
  match(config, 'tenant', event, revision);

/** The system endpoints that get an event of any tenant, by the operator's configuration and the same rules. */
export const matchingSystemEndpoints = (
  operator: TenantConfig,
  event: RoutedEvent,
  revision: number,
): EndpointId[] => match(operator, 'all_tenants', event, revision);

/** Whether any event is to be stamped with the operator's revision at all. */
export function hasSystemEndpoints(operator: TenantConfig): boolean {
  const { every, exact, prefix } = indexOf(operator, 'all_tenants');
  return every.length + exact.size + prefix.size > 0;
}

function match(
  config: TenantConfig,
  scope: EndpointScope,
  event: RoutedEvent,
  revision: number,
): EndpointId[] {
  const index = indexOf(config, scope);
  const { type } = event;
  const found: Candidate[] = [];
  take(found, index.every, event, revision);
  take(found, index.exact.get(type), event, revision);
  if (index.prefix.size > 0) {
    for (let dot = type.indexOf('.'); dot !== -1; dot = type.indexOf('.', dot + 1))
      take(found, index.prefix.get(type.slice(0, dot)), event, revision);
  }
  return inOrder(found);
}

function indexOf(config: TenantConfig, scope: EndpointScope): TypeIndex {
  let index = indexes[scope].get(config);
  if (index === undefined) {
    index = buildIndex(config, scope);
    indexes[scope].set(config, index);
  }
  return index;
}

function take(
  found: Candidate[],
  candidates: readonly Candidate[] | undefined,
  event: RoutedEvent,
  revision: number,
): void {
  if (candidates === undefined) return;
  for (const candidate of candidates) {
    const { validFrom, validUntil } = candidate.version;
    if (revision < validFrom || (validUntil !== null && revision >= validUntil)) continue;
    if (candidate.labelled && !carriesLabels(candidate.version.labels, event.labels)) continue;
    if (candidate.filter !== null && !candidate.filter.matches(event)) continue;
    found.push(candidate);
  }
}

function inOrder(found: Candidate[]): EndpointId[] {
  found.sort((a, b) => a.place - b.place);
  const ids: EndpointId[] = [];
  let last = -1;
  for (const { place, endpointId } of found) {
    if (place !== last) ids.push(endpointId);
    last = place;
  }
  return ids;
}

function buildIndex(config: TenantConfig, scope: EndpointScope): TypeIndex {
  const every: Candidate[] = [];
  const exact = new Map<string, Candidate[]>();
  const prefix = new Map<string, Candidate[]>();
  let place = 0;
  for (const endpoint of config.endpoints.values()) {
    if ((endpoint.scope ?? 'tenant') !== scope) continue;
    for (const version of endpoint.versions) {
      const labelled = Object.keys(version.labels).length > 0;
      const filter = readFilter(version);
      const candidate = { place, endpointId: endpoint.endpointId, version, labelled, filter };
      for (const filter of version.eventTypes) {
        if (filter === '*') every.push(candidate);
        else if (filter.endsWith('.*')) add(prefix, filter.slice(0, -2), candidate);
        else add(exact, filter, candidate);
      }
    }
    place++;
  }
  return { every, exact, prefix };
}

/**
 * Compiled when an event of its type and labels comes. One that was put into the table by hand and is none matches
 * nothing: it was meant to keep something out.
 */
function readFilter({ filter }: EndpointVersion): Candidate['filter'] {
  if (!filter) return null;
  let compiled: ReturnType<typeof compileFilter> | undefined;
  return {
    matches(event) {
      compiled ??= compileFilter(filter);
      return compiled.kind === 'filter' && compiled.matches(event);
    },
  };
}

function add(map: Map<string, Candidate[]>, key: string, candidate: Candidate): void {
  const there = map.get(key);
  if (there) there.push(candidate);
  else map.set(key, [candidate]);
}

const lastFilters = new WeakMap<EndpointConfig, Candidate['filter']>();

/** Whether the content filter of an endpoint's last subscription lets an event through; without one it does. */
export function passesFilter(endpoint: EndpointConfig, event: RoutedEvent): boolean {
  let filter = lastFilters.get(endpoint);
  if (filter === undefined) {
    const last = endpoint.versions.at(-1);
    filter = last === undefined ? null : readFilter(last);
    lastFilters.set(endpoint, filter);
  }
  return filter === null || filter.matches(event);
}
