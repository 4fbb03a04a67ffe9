import { isEventType } from '@posthorn/contracts';
import { below, isObject } from '../../check-payload/schema-walk.ts';
import type { Fault } from '../../http/problem.ts';
import { cutPointer } from '../../http/validation.ts';
import { bundleSchema } from './bundle-schema.ts';
import { MAX_DESCRIPTION_CHARS, MAX_EXAMPLES } from './schema.ts';

/** An event type as an OpenAPI document tells of it. */
export interface DescribedType {
  readonly name: string;
  readonly description: string;
  readonly deprecated: boolean;
  readonly schema: unknown;
  readonly examples: readonly unknown[];
  /** Where in the document its schema stands. */
  readonly pointer: string;
}

export const MAX_IMPORTED_TYPES = 500;
const AT = '/document';

/** The types that an OpenAPI 3.1 document's `webhooks` describe: the name of each is the type's. Faults are collected. */
export function readDocument(document: unknown, faults: Fault[]): DescribedType[] {
  if (!isObject(document) || !/^3\.[12]\.\d+$/.test(String(document.openapi))) {
    faults.push({ pointer: `${AT}/openapi`, detail: 'must be a version such as 3.1.0' });
    return [];
  }
  const { webhooks } = document;
  if (!isObject(webhooks)) {
    faults.push({ pointer: `${AT}/webhooks`, detail: 'is required: an object' });
    return [];
  }
  const entries = Object.entries(webhooks);
  if (entries.length > MAX_IMPORTED_TYPES) {
    faults.push({ pointer: `${AT}/webhooks`, detail: `must have at most ${MAX_IMPORTED_TYPES} members` });
    return [];
  }
  return entries.flatMap(([name, item]) => readWebhook(document, name, item, faults) ?? []);
}

type Found = { readonly value: Record<string, unknown>; readonly pointer: string };

function readWebhook(
  document: Record<string, unknown>,
  name: string,
  item: unknown,
  faults: Fault[],
): DescribedType | null {
  const at = below(`${AT}/webhooks`, name);
  const fault = (pointer: string, detail: string): null => {
    faults.push({ pointer: cutPointer(pointer), detail });
    return null;
  };
  if (!isEventType(name)) return fault(at, 'must be named as an event type is: order.created');
  const path = follow(document, item, at);
  if (path === null) return fault(at, NOT_FOLLOWED);
  const method = ['post', 'put'].find((each) => isObject(path.value[each]));
  if (method === undefined) return fault(path.pointer, 'must have an operation post');
  const operation = path.value[method] as Record<string, unknown>;
  const description = String(operation.description ?? operation.summary ?? path.value.summary ?? '');
  if (
    description.length > MAX_DESCRIPTION_CHARS ||
    !description.isWellFormed() ||
    description.includes('\0')
  ) {
    return fault(
      `${path.pointer}/${method}/description`,
      `must be text of ${MAX_DESCRIPTION_CHARS} characters at most`,
    );
  }
  const about = { name, description, deprecated: operation.deprecated === true };
  const bodyAt = `${path.pointer}/${method}/requestBody`;
  if (operation.requestBody === undefined) return { ...about, schema: null, examples: [], pointer: bodyAt };
  const body = follow(document, operation.requestBody, bodyAt);
  if (body === null) return fault(bodyAt, NOT_FOLLOWED);
  const media = jsonMedia(body);
  if (media === null) return { ...about, schema: null, examples: [], pointer: body.pointer };
  const pointer = `${media.pointer}/schema`;
  const schema = bundleSchema(document, media.value.schema ?? null, pointer, faults);
  return { ...about, schema, examples: examplesOf(media.value), pointer };
}

const NOT_FOLLOWED = 'must be an object, or refer to one of this document by $ref';
/** References to references. */
const MAX_HOPS = 8;

function follow(document: Record<string, unknown>, value: unknown, pointer: string): Found | null {
  let at = { value, pointer };
  for (let hop = 0; hop < MAX_HOPS; hop++) {
    if (!isObject(at.value)) return null;
    const { $ref } = at.value;
    if ($ref === undefined) return { value: at.value, pointer: at.pointer };
    if (typeof $ref !== 'string' || !$ref.startsWith('#/')) return null;
    at = { value: valueAt(document, $ref.slice(1)), pointer: `${AT}${$ref.slice(1)}` };
  }
  return null;
}

/** What an RFC 6901 pointer leads to; undefined for nothing. */
export function valueAt(document: unknown, pointer: string): unknown {
  let at = document;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

function jsonMedia({ value, pointer }: Found): Found | null {
  if (!isObject(value.content)) return null;
  for (const [type, media] of Object.entries(value.content)) {
    if (/^application\/([^;]+\+)?json\b/.test(type) && isObject(media)) {
      return { value: media, pointer: below(`${pointer}/content`, type) };
    }
  }
  return null;
}

/** Those of the media type, else those of its schema. */
function examplesOf(media: Record<string, unknown>): unknown[] {
  const { examples, example, schema } = media;
  const named = isObject(examples) ? Object.values(examples) : [];
  const values = named.flatMap((each) => (isObject(each) && 'value' in each ? [each.value] : []));
  if (example !== undefined) values.unshift(example);
  const ofSchema = isObject(schema) && Array.isArray(schema.examples) ? schema.examples : [];
  return (values.length > 0 ? values : ofSchema).slice(0, MAX_EXAMPLES);
}
