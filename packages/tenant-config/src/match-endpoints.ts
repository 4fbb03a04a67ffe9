import { carriesLabels, type EndpointId, type Labels } from '@posthorn/contracts';
import type { EndpointVersion, TenantConfig } from './tenant-config.ts';

interface Candidate {
  /** The endpoint's place in the configuration: matches come in this order. */
  readonly place: number;
  readonly endpointId: EndpointId;
  readonly version: EndpointVersion;
  /** Whether it has label conditions at all. */
  readonly labelled: boolean;
}

/** A tenant's versions by what their type filters ask for. */
interface TypeIndex {
  readonly every: readonly Candidate[];
  readonly exact: ReadonlyMap<string, readonly Candidate[]>;
  /** By the part before `.*`. */
  readonly prefix: ReadonlyMap<string, readonly Candidate[]>;
}

const indexes = new WeakMap<TenantConfig, TypeIndex>();

/**
 * The endpoints that get an event: those with a version valid at `revision`, one of whose type filters matches and
 * all of whose labels the event carries. In the order of the configuration, each once. What an endpoint's state is
 * now does not matter: a closed one has no version valid at later revisions.
 */
export function matchingEndpoints(
  config: TenantConfig,
  eventType: string,
  labels: Labels,
  revision: number,
): EndpointId[] {
  let index = indexes.get(config);
  if (index === undefined) {
    index = buildIndex(config);
    indexes.set(config, index);
  }
  const found: Candidate[] = [];
  take(found, index.every, labels, revision);
  take(found, index.exact.get(eventType), labels, revision);
  if (index.prefix.size > 0) {
    for (let dot = eventType.indexOf('.'); dot !== -1; dot = eventType.indexOf('.', dot + 1))
      take(found, index.prefix.get(eventType.slice(0, dot)), labels, revision);
  }
  return inOrder(found);
}

function take(
  found: Candidate[],
  candidates: readonly Candidate[] | undefined,
  labels: Labels,
  revision: number,
): void {
  if (candidates === undefined) return;
  for (const candidate of candidates) {
    const { validFrom, validUntil } = candidate.version;
    if (revision < validFrom || (validUntil !== null && revision >= validUntil)) continue;
    if (candidate.labelled && !carriesLabels(candidate.version.labels, labels)) continue;
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

function buildIndex(config: TenantConfig): TypeIndex {
  const every: Candidate[] = [];
  const exact = new Map<string, Candidate[]>();
  const prefix = new Map<string, Candidate[]>();
  let place = 0;
  for (const endpoint of config.endpoints.values()) {
    for (const version of endpoint.versions) {
      const labelled = Object.keys(version.labels).length > 0;
      const candidate = { place, endpointId: endpoint.endpointId, version, labelled };
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

function add(map: Map<string, Candidate[]>, key: string, candidate: Candidate): void {
  const there = map.get(key);
  if (there) there.push(candidate);
  else map.set(key, [candidate]);
}
