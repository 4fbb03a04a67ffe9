import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExactNumber } from './compare-numbers.ts';
import { exact, parseExact } from './parse-exact.ts';

/** With every number that was kept as digits made a double. */
const plain = (value: unknown): unknown => {
  const seen = exact(value);
  if (seen instanceof ExactNumber) return Number(seen.text);
  if (Array.isArray(seen)) return seen.map(plain);
  if (typeof seen !== 'object' || seen === null) return seen;
  return Object.fromEntries(Object.entries(seen).map(([name, member]) => [name, plain(member)]));
};

function outcome(read: () => unknown): unknown {
  try {
    return { value: read() };
  } catch (error) {
    return (error as Error).name;
  }
}

describe('a number', () => {
  test.each([
    '12345678901234567890',
    '-1.00000000000000000001',
    '1e400',
    '1E-0400',
    '0.1000000000000000055',
    '1234567890.1234567890e-12',
  ])('such as %s keeps its digits, wherever it stands', (number) => {
    for (const text of [number, ` ${number}\n`])
      expect(exact(parseExact(text))).toEqual(new ExactNumber(number));
    const { a, b } = parseExact(`{"a": ${number},"b":[0,${number} ]}`) as { a: unknown; b: unknown[] };
    expect([exact(a), exact(b[1])]).toEqual([new ExactNumber(number), new ExactNumber(number)]);
  });

  test.each(['1', '-0.5', '123456789012345', '1e99', '9007199.740991'])('such as %s is a double', (text) => {
    expect(exact(parseExact(text))).toBe(Number(text));
  });
});

test('digits in a string, or in a name, are text', () => {
  const text = '{"12345678901234567890":"a \\", 12345678901234567890 \\\\","n":12345678901234567890}';
  const parsed = parseExact(text) as Record<string, unknown>;
  expect(Object.keys(parsed)).toEqual(['12345678901234567890', 'n']);
  expect(exact(parsed['12345678901234567890'])).toBe('a ", 12345678901234567890 \\');
});

test('everything else is as of JSON.parse, what is refused as well', () => {
  const piece = fc.constantFrom(
    '"',
    '\\',
    '\\"',
    '{',
    '}',
    '[',
    ']',
    ':',
    ',',
    ' ',
    '-',
    '+',
    '.',
    '0',
    '1',
    'e',
    'E',
    'null',
    '"a"',
    '\n',
    '\\u0000',
    '12345678901234567890',
    '1e400',
    '"12345678901234567890"',
    '"a":',
    '0012345678901234567',
    '1.2.3',
  );
  const broken = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''));
  const whole = fc.json({ maxDepth: 3 }).map((text) => text.replaceAll('1', '10000000000000000001'));
  fc.assert(
    fc.property(fc.oneof(broken, whole), (text) => {
      expect(outcome(() => plain(parseExact(text)))).toEqual(outcome(() => plain(JSON.parse(text))));
    }),
    { numRuns: 2_000 },
  );
});
