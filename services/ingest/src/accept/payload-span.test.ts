import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonText, key, space } from '../../test/json-text.ts';
import { readMemberKey, scanArray, scanDocument } from './payload-span.ts';

const DEPTH = 64;

/** The bytes of the last member called `payload`, as the hot path takes them. */
function payloadBytes(body: Buffer): string | null {
  const scan = scanDocument(body, DEPTH);
  if (scan.kind !== 'object') throw new Error(`scanned as ${scan.kind}`);
  let found: string | null = null;
  for (const member of scan.members) {
    if (readMemberKey(body, member) === 'payload')
      found = body.toString('utf8', member.valueStart, member.valueEnd);
  }
  return found;
}

const documentWith = fc
  .tuple(
    fc.array(fc.tuple(key, jsonText), { maxLength: 4 }),
    fc.constantFrom('"payload"', '"pay\\u006coad"', '"\\u0070\\u0061yload"'),
    jsonText,
    fc.array(
      fc.tuple(
        key.filter((text) => JSON.parse(text) !== 'payload'),
        jsonText,
      ),
      { maxLength: 4 },
    ),
    space,
  )
  .map(([before, name, payload, after, pad]) => ({
    payload,
    text: `${pad}{${[...before, [name, payload] as const, ...after].map(([k, v]) => `${pad}${k}${pad}:${pad}${v}${pad}`).join(',')}}${pad}`,
  }));

describe('taking the payload out of a request', () => {
  it('gives the last payload member byte for byte, whatever surrounds it', () => {
    fc.assert(
      fc.property(documentWith, ({ text, payload }) => {
        JSON.parse(text);
        expect(payloadBytes(Buffer.from(text))).toBe(payload);
      }),
      { numRuns: 1_000 },
    );
  });

  it('gives the value that JSON.parse would see', () => {
    fc.assert(
      fc.property(documentWith, ({ text }) => {
        const bytes = payloadBytes(Buffer.from(text));
        expect(JSON.parse(bytes ?? 'undefined')).toEqual((JSON.parse(text) as { payload: unknown }).payload);
      }),
    );
  });

  it.each([
    ['a key written with an escape', '{"pay\\u006coad": 1 }', '1'],
    ['the last of two', '{"payload":1,"payload":{"b":2,"a":1}}', '{"b":2,"a":1}'],
    ['not one that is nested', '{"x":{"payload":1},"y":[{"payload":2}]}', null],
    ['not a string that looks like one', '{"x":"\\"payload\\":1","payload" : "}" }', '"}"'],
    ['integers beyond 2^53', '{"payload":{"id":12345678901234567890123}}', '{"id":12345678901234567890123}'],
  ])('takes %s', (_name, text, expected) => {
    expect(payloadBytes(Buffer.from(text))).toBe(expected);
  });
});

describe('scanning a document', () => {
  const accepts = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };

  it('accepts what JSON.parse accepts and nothing else', () => {
    const edit = fc.record({
      at: fc.nat(),
      remove: fc.nat(3),
      insert: fc.constantFrom(
        '',
        ',',
        ':',
        '"',
        '\\',
        '{',
        '}',
        '[',
        ']',
        '0',
        '-',
        '.',
        'e',
        '+',
        'u',
        't',
        'null',
        ' ',
        '\u0001',
        '\u00a0',
        'é',
        '\\u12',
        '\\x',
      ),
    });
    fc.assert(
      fc.property(jsonText, fc.array(edit, { minLength: 0, maxLength: 2 }), (text, edits) => {
        let edited = text;
        for (const { at, remove, insert } of edits) {
          const from = edited.length === 0 ? 0 : at % edited.length;
          edited = edited.slice(0, from) + insert + edited.slice(from + remove);
        }
        const body = Buffer.from(edited);
        fc.pre(isUtf8(body) && body.toString('utf8') === edited);
        const kind = scanDocument(body, DEPTH).kind;
        expect(kind === 'object' || kind === 'not_object').toBe(accepts(edited));
      }),
      { numRuns: 3_000 },
    );
  });

  it.each([
    ['', 0],
    ['{', 1],
    ['{"a"}', 4],
    ['{"a":1,}', 7],
    ['[1,]', 3],
    ['{"a":01}', 6],
    ['{"a":"\n"}', 6],
    ['{"a":tru}', 8],
    ['{"a":1}}', 7],
    ['{"a":"\\ud8"}', 10],
    ['1.', 2],
    ["{'a':1}", 1],
    ['{"a":NaN}', 5],
  ])('says where %j stops being JSON', (text, at) => {
    expect(scanDocument(Buffer.from(text), DEPTH)).toEqual({ kind: 'invalid', at });
  });

  it('refuses what is nested deeper than allowed, without following it down', () => {
    const nested = (depth: number) => Buffer.from(`${'['.repeat(depth)}${']'.repeat(depth)}`);
    expect(scanDocument(nested(DEPTH), DEPTH).kind).toBe('not_object');
    expect(scanDocument(nested(DEPTH + 1), DEPTH)).toEqual({ kind: 'too_deep', at: DEPTH });
    expect(scanDocument(nested(100_000), DEPTH)).toEqual({ kind: 'too_deep', at: DEPTH });
    expect(scanDocument(Buffer.from('{"a":'.repeat(100_000)), DEPTH).kind).toBe('too_deep');
  });
});

describe('scanning an array', () => {
  function scanned(body: Buffer, stepBytes = 3) {
    const steps = scanArray(body, DEPTH, { maxItems: 6, stepBytes });
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
    }
  }

  it('finds every value byte for byte, whatever stands between and wherever it pauses', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(space, jsonText, space), { maxLength: 6 }),
        fc.integer({ min: 1, max: 99 }),
        (values, step) => {
          const body = Buffer.from(`[${values.map((value) => value.join('')).join(',')}]`);
          const scan = scanned(body, step);
          if (scan.kind !== 'array') throw new Error(`scanned as ${scan.kind}`);
          const found = scan.items.map(({ start, end }) => body.toString('utf8', start, end));
          expect(found).toEqual(values.map(([, text]) => text));
        },
      ),
    );
  });

  it.each(['{}', '{"a":[1]}', '"[1]"', '1', 'null'])('says that %s is none', (text) => {
    expect(scanned(Buffer.from(text))).toEqual({ kind: 'not_array' });
  });

  it.each([
    ['[1,]', 3],
    ['[1 2]', 3],
    ['[1', 2],
    ['[1]]', 3],
  ])('says where %s stops being JSON', (text, at) => {
    expect(scanned(Buffer.from(text))).toEqual({ kind: 'invalid', at });
  });

  it('stops at one value too many, whatever comes after it', () => {
    expect(scanned(Buffer.from('[1,2,3,4,5,6,7,oops'))).toEqual({ kind: 'too_many' });
  });
});
