import { compareNumbers, ExactNumber } from './compare-numbers.ts';
import type { Labels } from './event.ts';
import { exact } from './parse-exact.ts';
import type { FilterSubject } from './routed-event.ts';
import {
  alternativesOf,
  beginCompilation,
  type Compilation,
  checkText,
  entriesOf,
  type FilterFault,
  noteFault,
  type Spot,
} from './walk-filter.ts';

/**
 * The content filter of an endpoint: conditions on an event's labels and payload, compiled once into closures. The
 * grammar is documented in docs/guides/content-filters.md. Every size is bounded, so a match is too; there are no
 * patterns, so nothing backtracks. Names are looked up as own members alone: `__proto__` is a name like any other.
 */
export interface CompiledFilter {
  readonly kind: 'filter';
  matches(subject: FilterSubject): boolean;
}

export interface FilterFaults {
  readonly kind: 'faults';
  readonly faults: readonly FilterFault[];
}

type Test = (value: unknown) => boolean;
type Scalar = string | number | boolean | null;
/** Where a condition stands: on a value of the payload, on all labels, or on one of them. */
type Place = 'payload' | 'labels' | 'label';

const NEVER: Test = () => false;

/** What is malformed is refused whole, with every fault. */
export function compileFilter(filter: unknown): CompiledFilter | FilterFaults {
  const compilation = beginCompilation();
  const matches = compileWhole(compilation, filter, { pointer: '', depth: 1 });
  const { faults } = compilation;
  return faults.length > 0 ? { kind: 'faults', faults } : { kind: 'filter', matches };
}

function compileWhole(
  compilation: Compilation,
  node: unknown,
  spot: Spot,
): (subject: FilterSubject) => boolean {
  const tests: Array<(subject: FilterSubject) => boolean> = [];
  for (const [key, value, below] of entriesOf(compilation, node, spot)) {
    switch (key) {
      case 'labels': {
        const test = compileObject(compilation, value, below, 'labels');
        // First: they cost less than a look at the payload, and may make it unnecessary.
        tests.unshift(({ labels }) => test(labels));
        break;
      }
      case 'payload': {
        const test = compileCondition(compilation, value, below, 'payload');
        tests.push((subject) => test(exact(subject.payload())));
        break;
      }
      case '$or': {
        const any = alternativesOf(compilation, value, below).map(([each, at]) =>
          compileWhole(compilation, each, at),
        );
        tests.push((subject) => any.some((test) => test(subject)));
        break;
      }
      case '$not': {
        const test = compileWhole(compilation, value, below);
        tests.push((subject) => !test(subject));
        break;
      }
      default:
        fault(compilation, below, 'is not one of payload, labels, $or and $not');
    }
  }
  return (subject) => tests.every((test) => test(subject));
}

/** A value stands for `{"$eq": value}`. */
function compileCondition(compilation: Compilation, node: unknown, spot: Spot, place: Place): Test {
  if (Array.isArray(node)) return fault(compilation, spot, 'is a list: write {"$in": […]}');
  if (typeof node === 'object' && node !== null) return compileObject(compilation, node, spot, place);
  return compileEquality(compilation, node, spot, place);
}

/** All of it must hold: operators of what stands here, conditions of its members. */
function compileObject(compilation: Compilation, node: unknown, spot: Spot, place: Place): Test {
  const tests: Test[] = [];
  for (const [key, value, below] of entriesOf(compilation, node, spot)) {
    const test = key.startsWith('$')
      ? compileOperator(compilation, key, value, below, place)
      : compileMember(compilation, key, value, below, place);
    tests.push(test);
  }
  return (value) => tests.every((test) => test(value));
}

function compileMember(
  compilation: Compilation,
  name: string,
  node: unknown,
  spot: Spot,
  place: Place,
): Test {
  if (place === 'label') return fault(compilation, spot, 'is a member, and a label is a text: it has none');
  const test = compileCondition(compilation, node, spot, place === 'labels' ? 'label' : 'payload');
  return (value) => test(memberOf(value, name));
}

/** Undefined for what is missing, and for members of what has none: texts, numbers, lists. */
function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value) || value instanceof ExactNumber) return undefined;
  return Object.hasOwn(value, name) ? exact((value as Labels)[name]) : undefined;
}

function compileOperator(
  compilation: Compilation,
  operator: string,
  operand: unknown,
  spot: Spot,
  place: Place,
): Test {
  switch (operator) {
    case '$or':
      return anyOf(compilation, operand, spot, (each, at) =>
        compileAlternative(compilation, each, at, place),
      );
    case '$not':
      return not(compileAlternative(compilation, operand, spot, place));
    default:
      return place === 'labels'
        ? fault(compilation, spot, 'is not the name of a label, $or or $not')
        : compileComparison(compilation, operator, operand, spot, place);
  }
}

function compileComparison(
  compilation: Compilation,
  operator: string,
  operand: unknown,
  spot: Spot,
  place: Place,
): Test {
  switch (operator) {
    case '$eq':
      return compileEquality(compilation, operand, spot, place);
    case '$ne':
      return not(compileEquality(compilation, operand, spot, place));
    case '$in':
      return anyOf(compilation, operand, spot, (each, at) => compileEquality(compilation, each, at, place));
    case '$gt':
      return compileOrder(compilation, operand, spot, place, (order) => order > 0);
    case '$gte':
      return compileOrder(compilation, operand, spot, place, (order) => order >= 0);
    case '$lt':
      return compileOrder(compilation, operand, spot, place, (order) => order < 0);
    case '$lte':
      return compileOrder(compilation, operand, spot, place, (order) => order <= 0);
    case '$exists':
      return compileExistence(compilation, operand, spot);
    case '$startsWith':
      return compilePrefix(compilation, operand, spot);
    default:
      return fault(compilation, spot, `is not an operator: ${OPERATORS}`);
  }
}

const not =
  (test: Test): Test =>
  (value) =>
    !test(value);

function anyOf(
  compilation: Compilation,
  operand: unknown,
  spot: Spot,
  compile: (each: unknown, at: Spot) => Test,
): Test {
  const any = alternativesOf(compilation, operand, spot).map(([each, at]) => compile(each, at));
  return (value) => any.some((test) => test(value));
}

const OPERATORS = '$eq, $ne, $in, $gt, $gte, $lt, $lte, $exists, $startsWith, $or and $not are';

const compileAlternative = (compilation: Compilation, node: unknown, spot: Spot, place: Place): Test =>
  place === 'labels'
    ? compileObject(compilation, node, spot, place)
    : compileCondition(compilation, node, spot, place);

/** A text equals no number, null equals nothing that is missing. */
function compileEquality(compilation: Compilation, operand: unknown, spot: Spot, place: Place): Test {
  const wanted = readScalar(compilation, operand, spot, place);
  if (typeof wanted === 'number') return (value) => isNumber(value) && compareNumbers(value, wanted) === 0;
  return (value) => value === wanted;
}

/** Numbers with numbers, texts with texts (by UTF-16 code units); nothing else has an order. */
function compileOrder(
  compilation: Compilation,
  operand: unknown,
  spot: Spot,
  place: Place,
  holds: (order: number) => boolean,
): Test {
  const bound = readScalar(compilation, operand, spot, place);
  if (typeof bound === 'number') return (value) => isNumber(value) && holds(compareNumbers(value, bound));
  if (typeof bound === 'string')
    return (value) => typeof value === 'string' && holds(value < bound ? -1 : Number(value > bound));
  return bound === undefined ? NEVER : fault(compilation, spot, 'must be a number or a text');
}

const isNumber = (value: unknown): value is number | ExactNumber =>
  typeof value === 'number' || value instanceof ExactNumber;

function compileExistence(compilation: Compilation, operand: unknown, spot: Spot): Test {
  if (typeof operand !== 'boolean') return fault(compilation, spot, 'must be true or false');
  return (value) => (value !== undefined) === operand;
}

function compilePrefix(compilation: Compilation, operand: unknown, spot: Spot): Test {
  if (typeof operand !== 'string' || operand === '') return fault(compilation, spot, 'must be a text');
  checkText(compilation, operand, spot);
  return (value) => typeof value === 'string' && value.startsWith(operand);
}

/** Undefined for what is faulty, and said so. */
function readScalar(compilation: Compilation, value: unknown, spot: Spot, place: Place): Scalar | undefined {
  if (typeof value === 'string') return checkText(compilation, value, spot) ? value : undefined;
  if (place === 'label') fault(compilation, spot, 'must be a text: labels are');
  else if (typeof value === 'boolean' || value === null) return value;
  else if (typeof value !== 'number')
    fault(compilation, spot, 'must be a text, a number, true, false or null');
  else if (Math.abs(value) <= Number.MAX_SAFE_INTEGER) return value;
  else fault(compilation, spot, BEYOND);
  return undefined;
}

const BEYOND = `is beyond ±${Number.MAX_SAFE_INTEGER}, where a number of this request may have lost digits`;

function fault(compilation: Compilation, spot: Spot, detail: string): Test {
  noteFault(compilation, spot, detail);
  return NEVER;
}
