import { STATUS_CODES } from 'node:http';
import type { TSchema } from 'typebox';
import type { CallerKind, Scope } from '../access/caller.ts';
import type { ProblemCode } from './problem-catalogue.ts';

export interface Access {
  readonly scope: Scope;
  readonly callers: readonly CallerKind[];
}

/** One operation of the API: its schemas validate, type and document it, its access is enforced before its handler. */
export interface Declaration {
  /** `operationId`: lower camel case, a verb first. */
  readonly id: string;
  readonly tag: Tag;
  readonly summary: string;
  /** Markdown. */
  readonly description?: string;
  /** `callers` are operators and tenants where it is left out; null: without a key. */
  readonly access: { readonly scope: Scope; readonly callers?: readonly CallerKind[] } | null;
  readonly params?: TSchema;
  readonly querystring?: TSchema;
  readonly headers?: TSchema;
  readonly body?: TSchema;
  /** Media types of the body beside JSON, each with its schema; the handler's parser takes them. */
  readonly bodies?: Readonly<Record<string, TSchema>>;
  /** By status. A schema's `description` becomes the answer's, its `examples` are shown. */
  readonly answers: Readonly<Record<number, TSchema>>;
  /** Media types of answers that are not JSON. */
  readonly produces?: Readonly<Record<number, string>>;
  /** Beside those that any operation may answer. */
  readonly problems?: readonly ProblemCode[];
  readonly bodyLimit?: number;
}

/** In the order in which the document shows them. */
export const TAGS = {
  Events: 'Post events, look them up, replay and cancel them.',
  'Event types': 'The catalogue of what may happen: descriptions, JSON Schemas, examples.',
  Webhooks: 'Endpoints of tenants: where events are sent, and which.',
  'System webhooks': 'Endpoints of the operator that receive events of all tenants.',
  Deliveries: 'What became of an event at each endpoint, attempt by attempt.',
  'Dead letters': 'Deliveries that are not tried again by themselves: look, retry, remove.',
  Jobs: 'Replays of many deliveries, in the background.',
  Tenants: 'The customers of the product, and their lanes.',
  Quotas: 'Plans, limits, and what is used of them.',
  Analytics: 'Counts, rates and latencies over time.',
  Keys: 'API keys and portal tokens.',
  'Audit log': 'Who changed what.',
  System: 'Health, set-aside records, this document.',
} as const;
export type Tag = keyof typeof TAGS;

const DEFAULT_CALLERS: readonly CallerKind[] = ['operator', 'tenant'];
/** What of a tenant a portal token may see is narrowed further by its labels. */
export const EVERYBODY: readonly CallerKind[] = ['operator', 'tenant', 'portal'];
/** What concerns more than one tenant, or what a tenant is given. */
export const OPERATORS: readonly CallerKind[] = ['operator'];

export interface Operation extends Omit<Declaration, 'access'> {
  readonly access: Access | null;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    operation?: Operation;
  }
}

type Part<D extends Declaration, K extends keyof Declaration> = D extends Record<K, infer S> ? S : undefined;

/** The options of a Fastify route. */
export function operation<const D extends Declaration>(declaration: D) {
  const { access, params, querystring, headers, body, answers, bodyLimit } = declaration;
  const schema = {
    ...(params ? { params } : {}),
    ...(querystring ? { querystring } : {}),
    ...(headers ? { headers } : {}),
    ...(body ? { body } : {}),
    response: answers,
  } as {
    params: Part<D, 'params'>;
    querystring: Part<D, 'querystring'>;
    headers: Part<D, 'headers'>;
    body: Part<D, 'body'>;
    response: D['answers'];
  };
  const declared: Operation = {
    ...declaration,
    access: access && { scope: access.scope, callers: access.callers ?? DEFAULT_CALLERS },
  };
  return { schema, config: { operation: declared }, ...(bodyLimit === undefined ? {} : { bodyLimit }) };
}

export const statusText = (status: number): string => STATUS_CODES[status] ?? String(status);
