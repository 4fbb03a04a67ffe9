import { normaliseTime, TIME_RULE } from '@posthorn/contracts';
import type { FastifySchemaCompiler, FastifySerializerCompiler } from 'fastify';

import Type, { type TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { Settings } from 'typebox/system';
import { Clean } from 'typebox/value';
import { type Fault, invalidRequest, MAX_FAULTS, ProblemError } from './problem.ts';

// One more than is listed, so that the answer can say that there are more.
Settings.Set({ maxErrors: MAX_FAULTS + 1 });

const MAX_POINTER_CHARS = 128;

/** An RFC 6901 pointer to a member, cut where a hostile key would blow up the answer. */
export function pointerTo(...path: readonly string[]): string {
  const pointer = path.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  return cutPointer(pointer);
}

export function cutPointer(pointer: string): string {
  const whole = pointer.toWellFormed();
  return whole.length > MAX_POINTER_CHARS ? `${whole.slice(0, MAX_POINTER_CHARS).toWellFormed()}…` : whole;
}

/**
 * Compiles a route's schema at the first request that needs it, once for all paths of the route: a hundred schemas
 * would hold up every start. A value that does not fit is a problem that lists every fault.
 */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const isBody = httpPart === 'body';
  const isOptional = Type.IsOptional(schema);
  return (value: unknown) => {
    if (isOptional && value === null) return { value };
    const validator = compiled(schema);
    if (validator.Check(value)) return { value };
    const faults = perBranch(validator.Errors(value)).flatMap((error) => toFaults(error, isBody));
    return { error: new ProblemError(invalidRequest(faults)) };
  };
};

const validators = new WeakMap<TSchema, Validator>();

function compiled(schema: TSchema): Validator {
  let validator = validators.get(schema);
  if (validator === undefined) {
    validator = Compile(schema);
    validators.set(schema, validator);
  }
  return validator;
}

/** Answers are made by views that the compiler has checked: nothing is left to filter. */
export const plainSerializer: FastifySerializerCompiler<unknown> = () => (value) => JSON.stringify(value);

/** `Clean` leaves these out wherever they stand, also where a schema takes any name. */
const NAMES_LEFT_OUT = /"(?:__proto__|constructor|prototype)":/;

export const checkingSerializer: FastifySerializerCompiler<TSchema> =
  ({ schema, method, url }) =>
  (value) => {
    const text = JSON.stringify(value);
    const shown: unknown = JSON.parse(text);
    const validator = compiled(schema);
    if (!validator.Check(shown)) {
      const faults = validator.Errors(shown).map(({ instancePath, message }) => `${instancePath} ${message}`);
      throw new Error(`${method} ${url} answers what it does not declare: ${faults.join(', ')}`);
    }
    const declared = JSON.stringify(Clean(schema, JSON.parse(text)));
    if (declared !== text && !NAMES_LEFT_OUT.test(text))
      throw new Error(`${method} ${url} answers more than it declares: ${text}`);
    return text;
  };

interface SchemaError {
  readonly keyword: string;
  readonly schemaPath: string;
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
}

/**
 * A value that fits no branch of a union has faults in every branch. Shown are those of the branch whose type it has,
 * else in one line what the branches take.
 */
function perBranch(errors: readonly SchemaError[]): SchemaError[] {
  const unions = errors.filter(({ keyword }) => keyword === 'anyOf');
  let kept = [...errors];
  for (const union of unions) {
    const inBranch = (error: SchemaError) => error.schemaPath.startsWith(`${union.schemaPath}/anyOf/`);
    const branches = kept.filter(inBranch);
    const meant = branches.filter(
      ({ keyword, instancePath }) => !SAYS_WHAT_FITS.has(keyword) || instancePath !== union.instancePath,
    );
    const shown = meant.length > 0 ? meant : [{ ...union, message: `must be ${takes(branches)}` }];
    kept = [...kept.filter((error) => error !== union && !inBranch(error)), ...shown];
  }
  return kept;
}

const SAYS_WHAT_FITS = new Set(['type', 'const', 'enum']);

function takes(branches: readonly SchemaError[]): string {
  const values = branches.filter(({ keyword }) => keyword !== 'type');
  // The type of a constant says less than the constant.
  const types = branches.filter(
    ({ keyword, schemaPath }) =>
      keyword === 'type' && !values.some((value) => value.schemaPath === schemaPath),
  );
  const texts = [
    ...types.map(({ params }) => (params as { type: string }).type),
    ...values.flatMap(({ params }) => allowed(params)),
  ];
  return [...new Set(texts)].join(' or ');
}

function allowed(params: { allowedValue?: unknown; allowedValues?: readonly unknown[] }): string[] {
  return (params.allowedValues ?? [params.allowedValue]).map((value) => JSON.stringify(value));
}

function toFaults(error: SchemaError, isBody: boolean): Fault[] {
  const at = (pointer: string): string => (isBody ? cutPointer(pointer) : `?${cutPointer(pointer.slice(1))}`);
  switch (error.keyword) {
    // Comes with one 'boolean' per unknown member, which name them.
    case 'additionalProperties':
      return [];
    case 'boolean':
      return [{ pointer: at(error.instancePath), detail: 'is not a known field' }];
    case 'required':
      return (error.params as { requiredProperties: string[] }).requiredProperties.map((name) => ({
        pointer: at(`${error.instancePath}/${name}`),
        detail: 'is required',
      }));
    case 'const':
    case 'enum':
      return [{ pointer: at(error.instancePath), detail: `must be ${allowed(error.params).join(' or ')}` }];
    default:
      return [{ pointer: at(error.instancePath), detail: error.message }];
  }
}

/** The body of a request that says all by its path. */
export const NoBody = Type.Optional(Type.Object({}, { additionalProperties: false, examples: [{}] }));

/** A field that may also be null. */
export const Nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

export const timeField = (options: Type.TStringOptions = {}) =>
  Type.Refine(
    Type.String(options),
    (text) => normaliseTime(text) !== null,
    () => TIME_RULE,
  );
export const Time = timeField();

/** A query parameter that is a whole number, written in digits. */
export const integerText = (min: number, max: number, options: Type.TStringOptions = {}) =>
  Type.Refine(
    Type.String({ pattern: '^[0-9]{1,9}$', ...options }),
    (text) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max,
    () => `must be an integer from ${min} to ${max}`,
  );
