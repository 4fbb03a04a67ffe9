import { MAX_LABELS } from '@posthorn/contracts';
import type { Fault } from '../http/problem.ts';
import { pointerTo } from '../http/validation.ts';
import {
  labelFault,
  type ReadContext,
  readClientEventId,
  readContentType,
  readDeliverAt,
  readOccurredAt,
  readTenantId,
  readType,
  TOO_MANY_LABELS,
} from './check-fields.ts';
import type { PostedEvent } from './posted-event.ts';

/** The attributes of a CloudEvent by name; `undefined` for one that is not set. */
export type Attributes = Map<string, unknown>;

/** How they came: as members of a JSON document, or as headers. */
export type Form = 'json' | 'headers';

type Envelope = Omit<PostedEvent, 'payload' | 'payloadPointer' | 'contentType'> & {
  /** Null when the event does not say what its data is. */
  readonly contentType: string | null;
};

const at = (name: string, form: Form): string =>
  form === 'headers' ? `ce-${name.slice(0, MAX_NAME_CHARS)}` : pointerTo(name);
const MAX_NAME_CHARS = 64;

/**
 * What the attributes of a CloudEvent mean here: `type` and `time` are the event's; `id` is unique within `source`, so
 * both together are the sender's own id of it; `source`, `subject` and every extension are labels but for those that
 * Posthorn knows (`tenant`, `deliverat`, the trace context).
 */
export function readAttributes(
  given: Attributes,
  form: Form,
  context: ReadContext,
  faults: Fault[],
): Envelope {
  const value = (name: string): unknown => given.get(name);
  if (value('specversion') !== '1.0') {
    faults.push({ pointer: at('specversion', form), detail: 'must be "1.0"' });
  }
  const traceparent = value('traceparent');
  return {
    tenantId: readTenantId(value('tenant'), at('tenant', form), context, faults),
    type: readType(value('type'), at('type', form), faults),
    clientEventId: readId(value('id'), value('source'), form, faults),
    occurredAt: readOccurredAt(value('time'), at('time', form), faults),
    deliverAtMs: readDeliverAt(value('deliverat'), at('deliverat', form), context, faults),
    contentType: readContentType(value('datacontenttype'), at('datacontenttype', form), faults),
    labels: readExtensions(given, form, faults),
    ...(typeof traceparent === 'string' ? { traceparent } : {}),
  };
}

/** "source" and "id" with a space between: a URI has none, so no two pairs read alike. */
function readId(id: unknown, source: unknown, form: Form, faults: Fault[]): string | null {
  const before = faults.length;
  if (typeof id !== 'string' || id === '') faults.push({ pointer: at('id', form), detail: NEEDED });
  if (typeof source !== 'string' || source === '') {
    faults.push({ pointer: at('source', form), detail: NEEDED });
  } else if (/\s/.test(source)) {
    faults.push({ pointer: at('source', form), detail: 'must be a URI reference: no spaces' });
  }
  return faults.length > before ? null : readClientEventId(`${source} ${id}`, at('id', form), faults);
}
const NEEDED = 'is required: a text that is not empty';

/** Attributes that mean something of their own. */
const KNOWN = new Set([
  'specversion',
  'type',
  'id',
  'time',
  'datacontenttype',
  'tenant',
  'deliverat',
  'traceparent',
  'tracestate',
]);
const ATTRIBUTE_NAME = /^[a-z0-9]+$/;

function readExtensions(given: Attributes, form: Form, faults: Fault[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const [name, value] of given) {
    if (KNOWN.has(name) || value === undefined) continue;
    const pointer = at(name, form);
    if (!ATTRIBUTE_NAME.test(name)) {
      faults.push({ pointer, detail: 'is no name of an attribute: a–z and 0–9 alone' });
      continue;
    }
    const label = labelOf(value);
    const fault = label === null ? 'must be a string, a whole number or a boolean' : labelFault(name, label);
    if (fault) faults.push({ pointer, detail: fault });
    else labels[name] = label as string;
  }
  if (Object.keys(labels).length > MAX_LABELS) {
    faults.push({ pointer: form === 'json' ? '' : 'ce-*', detail: `${TOO_MANY_LABELS} that become labels` });
  }
  return labels;
}

function labelOf(value: unknown): string | null {
  if (typeof value === 'string') return value;
  return typeof value === 'boolean' || Number.isSafeInteger(value) ? String(value) : null;
}
