import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluate, exactNumber, type Model, textOf } from '../test/evaluate-filter.ts';
import { compileFilter } from './content-filter.ts';
import type { Labels } from './event.ts';
import { routedEvent } from './routed-event.ts';
import {
  MAX_FILTER_CHARS,
  MAX_FILTER_DEPTH,
  MAX_FILTER_NODES,
  MAX_FILTER_TEXT_CHARS,
} from './walk-filter.ts';

function matches(filter: unknown, payload: string, labels: Labels = {}): boolean {
  const compiled = compileFilter(filter);
  if (compiled.kind === 'faults') throw new Error(JSON.stringify(compiled.faults));
  const event = { type: 'x', labels, contentType: 'application/json' };
  return compiled.matches(routedEvent(event, Buffer.from(payload)));
}

/** As it comes out of a request. */
const json = (text: string): unknown => JSON.parse(text);

function faultsOf(filter: unknown): Array<readonly [pointer: string, detail: string]> {
  const compiled = compileFilter(filter);
  return compiled.kind === 'faults' ? compiled.faults.map(({ pointer, detail }) => [pointer, detail]) : [];
}

describe('an operator', () => {
  test.each([
    ['$eq', 'gold', '"gold"', '"golden"'],
    ['$eq', 1, '1.0', '"1"'],
    ['$eq', null, 'null', 'false'],
    ['$ne', 'gold', '1', '"gold"'],
    ['$in', ['eu', 2, null], '2', '"us"'],
    ['$gt', 10, '10.5', '10'],
    ['$gte', 10, '1e1', '9.99'],
    ['$lt', -1, '-2', '-1'],
    ['$lte', -1, '-1', '0'],
    ['$gt', '2026-01', '"2026-02-01"', '20260201'],
    ['$exists', true, 'null', undefined],
    ['$exists', false, undefined, 'null'],
    ['$startsWith', 'EUR', '"EUR 10"', '"10 EUR"'],
    ['$not', { $gt: 10 }, undefined, '11'],
    ['$or', [1, { $gt: 10 }], '1', '2'],
  ])('%s %j holds for %s and not for %s', (operator, operand, holds, fails) => {
    const payload = (value: string | undefined) => (value === undefined ? '{}' : `{"v":${value}}`);
    const filter = { payload: { v: { [operator]: operand } } };
    expect(matches(filter, payload(holds))).toBe(true);
    expect(matches(filter, payload(fails))).toBe(false);
  });

  test('does not hold for what has another type, but $ne, $not and $exists', () => {
    for (const operator of ['$gt', '$gte', '$lt', '$lte']) {
      for (const value of ['"5"', 'null', 'true', '[5]', '{"v":5}'])
        expect(matches({ payload: { v: { [operator]: 5 } } }, `{"v":${value}}`)).toBe(false);
    }
  });
});

describe('a filter', () => {
  test('holds when all of its conditions do, on labels as on the payload', () => {
    const filter = {
      labels: { region: { $in: ['eu', 'uk'] } },
      payload: { total: { $gte: 100, $lt: 1000 }, customer: { tier: 'gold' } },
      $not: { payload: { test: true } },
    };
    const gold = '{"total":100,"customer":{"tier":"gold"}}';
    expect(matches(filter, gold, { region: 'eu' })).toBe(true);
    expect(matches(filter, gold, { region: 'us' })).toBe(false);
    expect(matches(filter, '{"total":1000,"customer":{"tier":"gold"}}', { region: 'eu' })).toBe(false);
    expect(matches(filter, '{"total":100,"customer":{"tier":"gold"},"test":true}', { region: 'eu' })).toBe(
      false,
    );
  });

  test('can say $or of labels, of the payload, of both, and of what stands anywhere below', () => {
    const filter = {
      $or: [{ labels: { vip: 'yes' } }, { payload: { $or: [{ a: 1 }, { b: { $or: [2, 3] } }] } }],
    };
    expect(matches(filter, '{}', { vip: 'yes' })).toBe(true);
    expect(matches(filter, '{"a":1}')).toBe(true);
    expect(matches(filter, '{"b":3}')).toBe(true);
    expect(matches(filter, '{"b":4}', { vip: 'no' })).toBe(false);
  });

  test('finds no member in a list, a text, a number, and none that is only inherited', () => {
    for (const value of ['[1]', '"text"', '12345678901234567890'])
      expect(matches({ payload: { v: { length: { $exists: true } } } }, `{"v":${value}}`)).toBe(false);
    for (const name of ['constructor', 'toString', 'hasOwnProperty', '__proto__'])
      expect(matches(json(`{"payload":{"${name}":{"$exists":true}}}`), '{}')).toBe(false);
  });

  test('takes the names of prototypes for names like any other', () => {
    const filter = json('{"payload":{"__proto__":{"admin":true}}}');
    expect(matches(filter, '{"__proto__":{"admin":true}}')).toBe(true);
    expect(matches(filter, '{"admin":true}')).toBe(false);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  test('sees nothing in a payload that is no JSON, whatever it is called', () => {
    const compiled = compileFilter({ payload: { $exists: true } });
    if (compiled.kind === 'faults') throw new Error('faulty');
    const see = (contentType: string, payload: string) =>
      compiled.matches(routedEvent({ type: 'x', labels: {}, contentType }, Buffer.from(payload)));
    expect(see('application/vnd.acme+json; charset=utf-8', '{}')).toBe(true);
    expect(see('text/plain', '{}')).toBe(false);
    expect(see('application/json', '{')).toBe(false);
  });

  test('does not have the payload parsed when the labels decide', () => {
    const compiled = compileFilter({ payload: { a: 1 }, labels: { env: 'prod' } });
    if (compiled.kind === 'faults') throw new Error('faulty');
    const payload = (): unknown => {
      throw new Error('looked at');
    };
    expect(compiled.matches({ labels: { env: 'dev' }, payload })).toBe(false);
    expect(() => compiled.matches({ labels: { env: 'prod' }, payload })).toThrow('looked at');
  });
});

test('a payload is parsed once, however many filters look at it', () => {
  const event = routedEvent(
    { type: 'x', labels: {}, contentType: 'application/json' },
    Buffer.from('{"a":{}}'),
  );
  expect(event.payload()).toBe(event.payload());
});

describe('what is malformed is refused with its place', () => {
  test.each([
    [null, '', 'must be an object'],
    [[], '', 'must be an object'],
    [{}, '', 'is empty: it would say nothing'],
    [{ body: { a: 1 } }, '/body', 'is not one of payload, labels, $or and $not'],
    [{ payload: {} }, '/payload', 'is empty: it would say nothing'],
    [{ payload: { a: [1] } }, '/payload/a', 'is a list: write {"$in": […]}'],
    [{ payload: { a: { $regex: 'x' } } }, '/payload/a/$regex', expect.stringContaining('is not an operator')],
    [{ payload: { a: { $in: 1 } } }, '/payload/a/$in', 'must be a list that is not empty'],
    [{ payload: { a: { $in: [{ b: 1 }] } } }, '/payload/a/$in/0', expect.stringContaining('must be a text')],
    [{ payload: { a: { $gt: true } } }, '/payload/a/$gt', 'must be a number or a text'],
    [{ payload: { a: { $exists: 'yes' } } }, '/payload/a/$exists', 'must be true or false'],
    [{ payload: { a: { $startsWith: '' } } }, '/payload/a/$startsWith', 'must be a text'],
    [{ payload: { 'a/b': { '~': [] } } }, '/payload/a~1b/~0', 'is a list: write {"$in": […]}'],
    [{ $or: [] }, '/$or', 'must be a list that is not empty'],
    [{ $or: [{ a: 1 }] }, '/$or/0/a', 'is not one of payload, labels, $or and $not'],
    [{ $not: 1 }, '/$not', 'must be an object'],
    [{ labels: { a: 1 } }, '/labels/a', 'must be a text: labels are'],
    [{ labels: 'a' }, '/labels', 'must be an object'],
    [{ labels: { $eq: 'a' } }, '/labels/$eq', 'is not the name of a label, $or or $not'],
    [{ labels: { a: { b: 'c' } } }, '/labels/a/b', 'is a member, and a label is a text: it has none'],
    [{ payload: { a: 2 ** 53 } }, '/payload/a', expect.stringContaining('±9007199254740991')],
    [json('{"payload":{"a":1e999}}'), '/payload/a', expect.stringContaining('±9007199254740991')],
    [{ payload: { a: 'x\0' } }, '/payload/a', 'has a NUL or half of a surrogate pair'],
    [{ payload: { '\ud800': 1 } }, '/payload/\ud800', 'has a NUL or half of a surrogate pair'],
  ])('%j', (filter, pointer, detail) => {
    expect(faultsOf(filter)).toEqual([[pointer, detail]]);
  });

  test('with all of its faults', () => {
    const filter = { payload: { a: { $gt: null }, b: [] }, labels: { c: 1 } };
    expect(faultsOf(filter).map(([pointer]) => pointer)).toEqual([
      '/payload/a/$gt',
      '/payload/b',
      '/labels/c',
    ]);
  });

  test('and what is beyond a bound, at the bound', () => {
    const deep = (levels: number) => {
      let node: unknown = 1;
      for (let i = 0; i < levels; i++) node = { a: node };
      return { payload: node };
    };
    expect(faultsOf(deep(MAX_FILTER_DEPTH - 1))).toEqual([]);
    expect(faultsOf(deep(MAX_FILTER_DEPTH))).toEqual([
      [expect.any(String), expect.stringContaining('16 levels')],
    ]);
    const wide = (count: number) => ({ payload: { a: { $in: Array.from({ length: count }, (_, i) => i) } } });
    expect(faultsOf(wide(MAX_FILTER_NODES - 3))).toEqual([]);
    expect(faultsOf(wide(100_000))).toEqual([['/payload/a/$in/253', expect.stringContaining('256 names')]]);
    const text = (count: number) => ({ payload: { a: 'x'.repeat(count) } });
    expect(faultsOf(text(MAX_FILTER_TEXT_CHARS))).toEqual([]);
    expect(faultsOf(text(MAX_FILTER_TEXT_CHARS + 1))).toHaveLength(1);
    const texts = Array.from({ length: 20 }, () => 'x'.repeat(MAX_FILTER_TEXT_CHARS));
    expect(faultsOf({ payload: { a: { $in: texts } } })).toEqual([
      ['/payload/a/$in/15', expect.stringContaining(`${MAX_FILTER_CHARS} characters`)],
    ]);
  });
});

describe('numbers are compared by what was written', () => {
  test.each([
    ['12345678901234567890', { $gt: Number.MAX_SAFE_INTEGER }, true],
    ['9007199254740993', { $eq: 9007199254740991 }, false],
    ['9007199254740991.0', { $eq: 9007199254740991 }, true],
    ['0.1', { $eq: 0.1 }, true],
    ['0.1000000000000000055', { $eq: 0.1 }, false],
    ['0.1000000000000000055', { $gt: 0.1 }, true],
    ['0.30000000000000004', { $eq: 0.1 + 0.2 }, true],
    ['1e400', { $gt: 5 }, true],
    ['-1e400', { $lt: 5 }, true],
    ['1e-400', { $gt: 0 }, true],
    ['1e-400', { $eq: 0 }, false],
    ['-0', { $eq: 0 }, true],
    ['0.0000000000000000', { $eq: 0 }, true],
    ['1e99999999999999999999', { $gt: 5 }, true],
    ['1e-99999999999999999999', { $lt: 5 }, true],
  ])('%s with %j: %s', (value, condition, holds) => {
    expect(matches({ payload: { v: condition } }, `{"v":${value}}`)).toBe(holds);
    expect(matches({ payload: condition }, value)).toBe(holds);
  });

  test('as exact decimals, whatever their length', () => {
    const digits = fc.stringMatching(/^(0|[1-9]\d{0,24})(\.\d{1,24})?([eE][+-]?\d{1,3})?$/);
    const operand = fc.oneof(fc.maxSafeInteger(), fc.double({ noNaN: true, min: -1e15, max: 1e15 }));
    const operators = fc.constantFrom('$eq', '$gt', '$gte', '$lt', '$lte');
    fc.assert(
      fc.property(digits, fc.boolean(), operand, operators, (size, negative, bound, operator) => {
        const text = negative ? `-${size}` : size;
        const order = exactNumber(text) - exactNumber(String(bound));
        const expected = {
          $eq: order === 0n,
          $gt: order > 0n,
          $gte: order >= 0n,
          $lt: order < 0n,
          $lte: order <= 0n,
        };
        expect(matches({ payload: { [operator]: bound } }, text)).toBe(expected[operator as '$eq']);
      }),
      { numRuns: 500 },
    );
  });
});

test('a compiled filter matches what evaluating it word by word matches', () => {
  const names = fc.constantFrom('a', 'b', '__proto__', 'c');
  const texts = fc.constantFrom('', 'a', 'ab', 'abc', '1');
  const numbers = fc.constantFrom('0', '1', '1.0', '2', '-1', '9007199254740993', '1e3');
  const { payload } = fc.letrec<{ payload: Model }>((tie) => ({
    payload: fc.oneof(
      { maxDepth: 3 },
      texts,
      numbers.map((number) => ({ kind: 'number' as const, number })),
      fc.constantFrom(true, false, null),
      fc.array(tie('payload'), { maxLength: 2 }).map((items) => ({ kind: 'list' as const, items })),
      fc
        .array(fc.tuple(names, tie('payload')), { maxLength: 3 })
        .map((members) => ({ kind: 'object' as const, members: new Map(members) })),
    ),
  }));
  const scalar = fc.oneof(texts, fc.constantFrom(0, 1, 2, 1000), fc.constantFrom(true, null));
  const object = (entries: fc.Arbitrary<readonly [string, unknown]>) =>
    fc.array(entries, { minLength: 1, maxLength: 3 }).map((all) => Object.fromEntries(all) as unknown);
  const { condition } = fc.letrec<{ condition: unknown }>((tie) => ({
    condition: fc.oneof(
      { maxDepth: 3 },
      scalar,
      object(
        fc.oneof(
          fc.tuple(fc.constantFrom('$eq', '$ne'), scalar),
          fc.tuple(fc.constantFrom('$gt', '$gte', '$lt', '$lte'), fc.oneof(texts, fc.constantFrom(0, 1, 2))),
          fc.tuple(fc.constant('$in'), fc.array(scalar, { minLength: 1, maxLength: 3 })),
          fc.tuple(fc.constant('$exists'), fc.boolean()),
          fc.tuple(fc.constant('$startsWith'), fc.constantFrom('a', 'ab')),
          fc.tuple(fc.constant('$or'), fc.array(tie('condition'), { minLength: 1, maxLength: 3 })),
          fc.tuple(fc.constant('$not'), tie('condition')),
          fc.tuple(names, tie('condition')),
          fc.tuple(names, tie('condition')),
        ),
      ),
    ),
  }));
  const label = fc.oneof(texts, object(fc.tuple(fc.constantFrom('$eq', '$ne', '$gt'), texts)));
  const labelled = object(fc.tuple(fc.constantFrom('env', 'region'), label));
  const { filter } = fc.letrec<{ filter: unknown }>((tie) => ({
    filter: object(
      fc.oneof(
        { maxDepth: 2 },
        fc.tuple(fc.constant('payload'), condition),
        fc.tuple(fc.constant('labels'), labelled),
        fc.tuple(fc.constant('$not'), tie('filter')),
        fc.tuple(fc.constant('$or'), fc.array(tie('filter'), { minLength: 1, maxLength: 2 })),
      ),
    ),
  }));
  const labels = fc.dictionary(fc.constantFrom('env', 'region'), texts, { noNullPrototype: true });
  fc.assert(
    fc.property(filter, payload, labels, (given, model, carried) => {
      expect(matches(given, textOf(model), carried)).toBe(evaluate(given, model, carried));
    }),
    { numRuns: 500 },
  );
});

test('whatever is given is compiled or refused', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.jsonValue(), (given, payload) => {
      const compiled = compileFilter(given);
      if (compiled.kind === 'faults') expect(compiled.faults.length).toBeGreaterThan(0);
      else
        compiled.matches(
          routedEvent(
            { type: 'x', labels: {}, contentType: 'application/json' },
            Buffer.from(JSON.stringify(payload)),
          ),
        );
    }),
  );
});
