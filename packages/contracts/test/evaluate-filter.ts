import type { Labels } from '../src/event.ts';

/** A JSON value in which a number is what was written. Undefined is what is missing. */
export type Model =
  | string
  | boolean
  | null
  | undefined
  | { readonly kind: 'number'; readonly number: string }
  | { readonly kind: 'list'; readonly items: readonly Model[] }
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, Model> };

export function textOf(model: Model): string {
  if (typeof model !== 'object' || model === null) return JSON.stringify(model);
  switch (model.kind) {
    case 'number':
      return model.number;
    case 'list':
      return `[${model.items.map(textOf).join()}]`;
    case 'object':
      return `{${[...model.members].map(([name, value]) => `${JSON.stringify(name)}:${textOf(value)}`).join()}}`;
  }
}

const SCALE = 1_100;

/** A decimal as a whole number of 10^-1100. */
export function exactNumber(text: string): bigint {
  const [mantissa, exponent = '0'] = text.toLowerCase().split('e') as [string, string?];
  const [whole, fraction = ''] = mantissa.split('.') as [string, string?];
  return BigInt(whole + fraction) * 10n ** BigInt(SCALE + Number(exponent) - fraction.length);
}

/** The grammar of docs/guides/content-filters.md, sentence by sentence: nothing compiled, nothing bounded. */
export function evaluate(filter: unknown, payload: Model, labels: Labels): boolean {
  return Object.entries(filter as object).every(([key, value]) => {
    switch (key) {
      case 'payload':
        return holds(value, payload);
      case 'labels':
        return holds(value, { kind: 'object', members: new Map(Object.entries(labels)) });
      case '$or':
        return (value as unknown[]).some((each) => evaluate(each, payload, labels));
      default:
        return !evaluate(value, payload, labels);
    }
  });
}

function holds(condition: unknown, value: Model): boolean {
  if (typeof condition !== 'object' || condition === null) return equals(condition, value);
  return Object.entries(condition).every(([key, operand]) => {
    switch (key) {
      case '$eq':
        return equals(operand, value);
      case '$ne':
        return !equals(operand, value);
      case '$in':
        return (operand as unknown[]).some((each) => equals(each, value));
      case '$exists':
        return operand === (value !== undefined);
      case '$startsWith':
        return typeof value === 'string' && value.startsWith(operand as string);
      case '$or':
        return (operand as unknown[]).some((each) => holds(each, value));
      case '$not':
        return !holds(operand, value);
      case '$gt':
        return ordered(value, operand, (a, b) => a > b);
      case '$gte':
        return ordered(value, operand, (a, b) => a >= b);
      case '$lt':
        return ordered(value, operand, (a, b) => a < b);
      case '$lte':
        return ordered(value, operand, (a, b) => a <= b);
      default:
        return holds(operand, isObject(value) ? value.members.get(key) : undefined);
    }
  });
}

const isObject = (value: Model): value is Extract<Model, { kind: 'object' }> =>
  typeof value === 'object' && value !== null && value.kind === 'object';
const isNumber = (value: Model): value is Extract<Model, { kind: 'number' }> =>
  typeof value === 'object' && value !== null && value.kind === 'number';

const equals = (operand: unknown, value: Model): boolean =>
  typeof operand === 'number'
    ? isNumber(value) && exactNumber(value.number) === exactNumber(String(operand))
    : value === operand;

function ordered(
  value: Model,
  bound: unknown,
  compare: (a: bigint | string, b: bigint | string) => boolean,
): boolean {
  if (typeof bound === 'string') return typeof value === 'string' && compare(value, bound);
  return isNumber(value) && compare(exactNumber(value.number), exactNumber(String(bound)));
}
