import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { headersFault, MAX_HEADERS, MAX_HEADERS_BYTES } from './header-rules.ts';

const swapCase = (text: string): string =>
  [...text].map((c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase())).join('');

describe('a header of a receiver', () => {
  test.each(['Authorization', 'X-Api-Key', 'x-a', 'Cookie', 'Accept', '1'])('may be %s', (name) => {
    expect(headersFault({ [name]: 'Bearer abc.def==, x="y z"' })).toBeNull();
  });

  // Where a request goes, where its body ends, what belongs to the connection, what is ours.
  test.each([
    'Host',
    'Content-Length',
    'Content-Type',
    'Content-Encoding',
    'Transfer-Encoding',
    'Connection',
    'Keep-Alive',
    'Proxy-Authorization',
    'Proxy-Connection',
    'TE',
    'Trailer',
    'Upgrade',
    'Expect',
    'User-Agent',
    'Accept-Encoding',
    'Forwarded',
    'X-Forwarded-For',
    'Via',
    'Traceparent',
    'Webhook-Id',
    'webhook-signature',
    'X-Webhook-Event-Type',
  ])('may not be %s, in no case', (name) => {
    for (const spelled of [name, name.toLowerCase(), name.toUpperCase(), swapCase(name)])
      expect(headersFault({ [spelled]: 'x' })).toContain('is reserved');
  });

  test.each([
    '',
    ' x',
    'x ',
    'x:',
    'x y',
    'x_y',
    '-x',
    'x-',
    'ｘ',
    'x\r\ny',
    ':path',
    '__proto__',
    'x'.repeat(65),
  ])('may not be named %j', (name) => {
    expect(headersFault(Object.fromEntries([[name, 'x']]))).toContain('ASCII letters and digits');
  });

  test.each(['\r\nHost: b', '\nb', '\u0000', '\tb', ' ', 'ä', '\u007f', '\ud800', 'x'.repeat(1_024)])(
    'may not have a value with %j at its end, and it is not quoted',
    (end) => {
      const fault = headersFault({ 'x-a': `canary${end}` });
      expect(fault).toContain('printable ASCII');
      expect(fault).not.toContain('canary');
    },
  );

  test('may not have an empty value', () => {
    expect(headersFault({ 'x-a': '' })).toContain('printable ASCII');
  });

  test('has nothing in its value that is not printable ASCII, wherever it stands', () => {
    const other = fc.oneof(fc.integer({ max: 0x1f, min: 0 }), fc.integer({ min: 0x7f, max: 0xffff }));
    fc.assert(
      fc.property(fc.string(), other, fc.string(), (before, code, after) => {
        expect(headersFault({ 'x-a': `a${before}${String.fromCharCode(code)}${after}z` })).not.toBeNull();
      }),
    );
  });

  test('is named once, whatever its case', () => {
    expect(headersFault({ 'X-A': 'one', 'x-a': 'two' })).toContain('once');
  });
});

test('headers are bounded in number and in bytes', () => {
  const some = (count: number, value: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, value]));
  expect(headersFault(some(MAX_HEADERS, 'x'))).toBeNull();
  expect(headersFault(some(MAX_HEADERS + 1, 'x'))).toContain(`at most ${MAX_HEADERS} members`);
  expect(headersFault(some(5, 'x'.repeat(900)))).toContain(`${MAX_HEADERS_BYTES} bytes`);
});

test('every faulty header is named', () => {
  expect(headersFault({ Host: 'x', 'x-a': 'ok', TE: 'x' })).toBe('"Host" is reserved; "TE" is reserved');
});
