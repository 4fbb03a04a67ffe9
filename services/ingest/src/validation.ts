import type { FastifySchemaCompiler } from 'fastify';
import Type, { type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { Settings } from 'typebox/system';
import { type Fault, invalidRequest, MAX_FAULTS, ProblemError } from './problem.ts';

// One more than is listed, so that the answer can say that there are more.
Settings.Set({ maxErrors: MAX_FAULTS + 1 });

const MAX_POINTER_CHARS = 128;

/** An RFC 6901 pointer to a member, cut where a hostile key would blow up the answer. */
export function pointerTo(...path: readonly string[]): string {
  const pointer = path.map((key) => `/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  return cut(pointer.toWellFormed());
}

const cut = (pointer: string): string =>
  pointer.length > MAX_POINTER_CHARS ? `${pointer.slice(0, MAX_POINTER_CHARS)}…` : pointer;

/** Compiles a route's schema; a value that does not fit is a problem that lists every fault. */
export const validatorCompiler: FastifySchemaCompiler<TSchema> = ({ schema, httpPart }) => {
  const validator = Compile(schema);
  const isBody = httpPart === 'body';
  const isOptional = Type.IsOptional(schema);
  return (value: unknown) => {
    if (isOptional && value === null) return { value };
    if (validator.Check(value)) return { value };
    const faults = validator.Errors(value).flatMap((error) => toFaults(error, isBody));
    return { error: new ProblemError(invalidRequest(faults)) };
  };
};

interface SchemaError {
  readonly keyword: string;
  readonly instancePath: string;
  readonly params: object;
  readonly message: string;
}

function toFaults(error: SchemaError, isBody: boolean): Fault[] {
  const at = (pointer: string): string =>
    isBody ? cut(pointer.toWellFormed()) : `?${cut(pointer.slice(1).toWellFormed())}`;
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
    default:
      return [{ pointer: at(error.instancePath), detail: error.message }];
  }
}

/** A query parameter that is a whole number, written in digits. */
export const integerText = (min: number, max: number) =>
  Type.Refine(
    Type.String(),
    (text) => /^\d{1,9}$/.test(text) && Number(text) >= min && Number(text) <= max,
    () => `must be an integer from ${min} to ${max}`,
  );
