import { Ajv, type ErrorObject, type Options } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { RE2JS } from 're2js';

/** One fault of a payload: where in it (RFC 6901) and what. */
export interface PayloadFault {
  readonly pointer: string;
  readonly detail: string;
}

export type Validate = (payload: unknown) => readonly PayloadFault[];

export const DRAFT_2020 = 'https://json-schema.org/draft/2020-12/schema';
const DRAFT_07 = 'http://json-schema.org/draft-07/schema';
export const DRAFTS = [DRAFT_2020, DRAFT_07];

export const MAX_PAYLOAD_FAULTS = 100;

/** Whether a text contains a match, in time linear in its length whatever the pattern. @throws on what RE2 has not. */
export function compilePattern(pattern: string): { test(text: string): boolean } {
  const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
  return { test: (text) => compiled.matcher(text).find() };
}

const OPTIONS: Options = {
  // Words of other vocabularies, such as OpenAPI's, are annotations.
  strict: false,
  allErrors: true,
  // A key such as `constructor` is there when the payload has it, not because every object has.
  ownProperties: true,
  logger: false,
  // A definition that is referred to a thousand times is compiled once.
  inlineRefs: false,
  code: { regExp: Object.assign(compilePattern, { code: 'compilePattern' }) },
};

/** Empty for a schema that names it by something else than a text. */
export function draftOf(schema: unknown): string {
  const named = (schema as { $schema?: unknown } | null)?.$schema;
  if (named === undefined) return DRAFT_2020;
  return typeof named === 'string' ? named.replace(/#$/, '') : '';
}

/** Without a look at whether the schema is one. @throws for what cannot be compiled. */
export function compileSchema(schema: unknown): Validate {
  const ajv = openAjv(draftOf(schema), { meta: false, validateSchema: false });
  const validate = ajv.compile(schema as object | boolean);
  return (payload) => (validate(payload) ? [] : toFaults(validate.errors ?? []));
}

/** Keeps nothing of what it compiles. */
export function openAjv(draft: string, more: Options = {}): Ajv {
  const ajv = draft === DRAFT_07 ? new Ajv({ ...OPTIONS, ...more }) : new Ajv2020({ ...OPTIONS, ...more });
  addFormats.default(ajv);
  return ajv;
}

/** Each place once for the same reason, in the order in which they were found. */
export function toFaults(errors: readonly ErrorObject[]): PayloadFault[] {
  const faults = new Map<string, PayloadFault>();
  for (const error of errors) {
    const fault = toFault(error);
    faults.set(`${fault.pointer}\n${fault.detail}`, fault);
    if (faults.size === MAX_PAYLOAD_FAULTS) break;
  }
  return [...faults.values()];
}

function toFault({ keyword, instancePath, params, message = 'does not fit' }: ErrorObject): PayloadFault {
  const at = (name: string): string => `${instancePath}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  switch (keyword) {
    case 'required':
      return { pointer: at(params.missingProperty), detail: 'is required' };
    case 'additionalProperties':
      return { pointer: at(params.additionalProperty), detail: 'is not allowed' };
    case 'unevaluatedProperties':
      return { pointer: at(params.unevaluatedProperty), detail: 'is not allowed' };
    case 'enum':
      return { pointer: instancePath, detail: `must be one of ${shown(params.allowedValues)}` };
    case 'const':
      return { pointer: instancePath, detail: `must be ${shown(params.allowedValue)}` };
    default:
      return { pointer: instancePath, detail: message };
  }
}

const MAX_SHOWN_CHARS = 200;
function shown(value: unknown): string {
  const text = Array.isArray(value)
    ? value.map((each) => JSON.stringify(each)).join(', ')
    : JSON.stringify(value);
  return text.length > MAX_SHOWN_CHARS ? `${text.slice(0, MAX_SHOWN_CHARS)}…`.toWellFormed() : text;
}
