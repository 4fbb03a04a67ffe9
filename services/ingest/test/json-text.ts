import fc from 'fast-check';

/** Any characters, halves of surrogate pairs among them; making the unit `binary` of fast-check takes seconds. */
export const anyText = fc.string({
  unit: fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code)),
});
/** Spacing that JSON allows. */
export const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/);
const bigInteger = fc.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }).map(String);
const decimal = fc
  .tuple(bigInteger, fc.nat(), fc.constantFrom('', 'e5', 'E-30', 'e+400'))
  .map(([whole, part, exponent]) => `${whole}.${part}${exponent}`);
const plainString = anyText.map((text) => JSON.stringify(text));
/** Every UTF-16 unit written as an escape, in either case: no byte of it looks like the text it stands for. */
const escapedString = anyText.map((text) => {
  const units = Array.from({ length: text.length }, (_, i) =>
    text.charCodeAt(i).toString(16).padStart(4, '0'),
  );
  return `"${units.map((hex, i) => `\\u${i % 2 ? hex : hex.toUpperCase()}`).join('')}"`;
});
const tricky = fc.constantFrom(
  '"payload"',
  '"{\\"payload\\":1}"',
  '"\\\\"',
  '"\\/"',
  '"]}"',
  '{}',
  '[]',
  '[ ]',
  '{ }',
  '-0',
  '1e5',
);
/** A member's key with its quotes, at times one that means something, written in any way. */
export const key = fc.oneof(
  plainString,
  escapedString,
  fc.constantFrom('"payload"', '"pay\\u006coad"', '"\\u0070ayload"', '"a"', '"__proto__"', '""'),
);

/** JSON texts, not values: spacing, escapes, number spelling, key order and repeated keys are all part of the case. */
export const { text: jsonText } = fc.letrec<{ text: string }>((tie) => ({
  text: fc.oneof(
    { maxDepth: 5, depthIdentifier: 'json' },
    fc.constantFrom('null', 'true', 'false'),
    bigInteger,
    decimal,
    plainString,
    escapedString,
    tricky,
    fc
      .tuple(space, fc.array(fc.tuple(space, tie('text'), space), { maxLength: 4, depthIdentifier: 'json' }))
      .map(([pad, items]) => `[${items.length ? items.map((item) => item.join('')).join(',') : pad}]`),
    fc
      .tuple(
        space,
        fc.array(fc.tuple(space, key, space, space, tie('text'), space), {
          maxLength: 4,
          depthIdentifier: 'json',
        }),
      )
      .map(
        ([pad, members]) =>
          `{${members.length ? members.map(([a, k, b, c, v, d]) => `${a}${k}${b}:${c}${v}${d}`).join(',') : pad}}`,
      ),
  ),
}));
