import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createAddressPolicy } from './address-policy.ts';
import { checkUrl, parseTarget } from './check-url.ts';

const strict = createAddressPolicy({ allowedCidrs: [] });
const demo = createAddressPolicy({ allowedCidrs: ['127.0.0.0/8'] });

function codeFor(text: string, policy = strict): string {
  const check = checkUrl(text, policy);
  return check.ok ? 'ok' : check.code;
}

describe('a public URL is accepted', () => {
  test('and parsed into what a request needs', () => {
    expect(checkUrl('https://Hooks.Example.com:8443/in?tenant=1&x=%20', strict)).toEqual({
      ok: true,
      url: {
        protocol: 'https:',
        hostname: 'hooks.example.com',
        port: 8443,
        origin: 'https://hooks.example.com:8443',
        path: '/in?tenant=1&x=%20',
      },
    });
  });

  test.each([
    ['http://example.com', { port: 80, path: '/', origin: 'http://example.com' }],
    ['https://example.com:443', { port: 443, origin: 'https://example.com' }],
    ['https://example.com./x', { hostname: 'example.com', origin: 'https://example.com' }],
    ['https://bücher.example.com/ä', { hostname: 'xn--bcher-kva.example.com', path: '/%C3%A4' }],
    ['https://8.8.8.8/', { hostname: '8.8.8.8' }],
    ['https://[2606:4700::0:1]/', { hostname: '2606:4700::1', origin: 'https://[2606:4700::1]' }],
    ['HTTPS://example.com/', { protocol: 'https:' }],
    ['https://my_host.example.com/', { hostname: 'my_host.example.com' }],
    ['https://internal.example.com/', { hostname: 'internal.example.com' }],
    ['https://mylocalhost.com/', { hostname: 'mylocalhost.com' }],
  ])('%s', (text, parts) => expect(checkUrl(text, strict)).toMatchObject({ ok: true, url: parts }));
});

describe('an address is judged in every spelling', () => {
  test.each([
    'http://127.0.0.1/',
    'http://127.1/',
    'http://127.0.1/',
    'http://0x7f000001/',
    'http://0x7f.0.0.1/',
    'http://0177.0.0.1/',
    'http://017700000001/',
    'http://2130706433/',
    'http://127.0.0.1./',
    'http://①②⑦.⓪.⓪.①/',
    'http://１２７.0.0.1/',
    'http://127。0。0。1/',
    'http://%31%32%37.0.0.1/',
    'http://0/',
    'http://[::1]/',
    'http://[0:0:0:0:0:0:0:1]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[::7f00:1]/',
    'http://[64:ff9b::127.0.0.1]/',
    'http://[2002:7f00:1::]/',
    'http://169.254.169.254/latest/meta-data/',
    'http://0xa9fea9fe/',
    'http://[fd00:ec2::254]/',
    'http://10.0.0.1/',
    'http://168.63.129.16/',
  ])('%s is blocked', (text) => expect(codeFor(text)).toBe('url_address_blocked'));

  test('as a whole number, in hex and in octal alike', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 32 - 1), (value) => {
        const dotted = [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
        const expected = strict.judgeAddress(dotted).allowed ? 'ok' : 'url_address_blocked';
        for (const spelling of [dotted, String(value), `0x${value.toString(16)}`, `0${value.toString(8)}`]) {
          expect(codeFor(`https://${spelling}/`)).toBe(expected);
        }
      }),
    );
  });
});

test.each([
  'localhost',
  'LOCALHOST',
  'ｌｏｃａｌｈｏｓｔ',
  'localhost.',
  'a.localhost',
  'printer.local',
  'db.internal',
  'metadata.google.internal',
  'metadata.google.internal.',
  'metadata.goog',
  'metadata.tencentyun.com',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
  'wiki.intranet',
  'nas.lan',
  'router.home.arpa',
  'ad.corp',
  'x.home',
  'x.private',
  'x.test',
  'x.invalid',
  'x.onion',
  'metadata',
  'kafka',
  '1.0.0.127.in-addr.arpa',
])('the host %s is refused without asking DNS', (host) => {
  expect(codeFor(`https://${host}/`)).toBe('url_host_reserved');
});

describe('refused', () => {
  test.each([
    ['ftp://example.com/', 'url_scheme'],
    ['file:///etc/passwd', 'url_scheme'],
    ['javascript:alert(1)', 'url_scheme'],
    ['https:example.com', 'url_scheme'],
    ['example.com/hook', 'url_malformed'],
    ['//example.com/hook', 'url_malformed'],
    ['', 'url_malformed'],
    ['https://', 'url_malformed'],
    ['https://exa mple.com/', 'url_malformed'],
    ['https://example.com/a\tb', 'url_malformed'],
    ['https://example.com/a\r\nHost: x', 'url_malformed'],
    ['https://example.com\\@10.0.0.1/', 'url_malformed'],
    ['https://example..com/', 'url_malformed'],
    ['https://example.com../', 'url_malformed'],
    ['https://[fe80::1%25eth0]/', 'url_malformed'],
    ['https://[::1/', 'url_malformed'],
    ['https://1.2.3.4.5/', 'url_malformed'],
    ['https://256.1.1.1/', 'url_malformed'],
    ["https://exa'mple.com/", 'url_malformed'],
    [`https://${'a'.repeat(64)}.com/`, 'url_malformed'],
    [`https://${'a.'.repeat(130)}com/`, 'url_malformed'],
    ['https://user@example.com/', 'url_credentials'],
    ['https://user:secret@example.com/', 'url_credentials'],
    ['https://example.com:pw@10.0.0.1/', 'url_credentials'],
    ['https://example.com/#fragment', 'url_fragment'],
    ['https://example.com:0/', 'url_port'],
    ['https://example.com:25/', 'url_port'],
    ['http://example.com:6379/', 'url_port'],
    ['http://example.com:9092/', 'url_port'],
    ['https://example.com:65536/', 'url_malformed'],
    [`https://example.com/${'x'.repeat(2_048)}`, 'url_too_long'],
    [`https://example.com/${'€'.repeat(300)}`, 'url_too_long'],
  ])('%s', (text, code) => expect(codeFor(text)).toBe(code));
});

describe('the policy', () => {
  test('with loopback opened lets localhost be registered, but no other reserved name', () => {
    expect(codeFor('http://localhost:4000/', demo)).toBe('ok');
    expect(codeFor('http://localhost.:4000/', demo)).toBe('ok');
    expect(codeFor('http://127.0.0.1:4000/', demo)).toBe('ok');
    expect(codeFor('http://db.internal/', demo)).toBe('url_host_reserved');
    expect(codeFor('http://[::1]:4000/', demo)).toBe('url_address_blocked');
  });

  test('can ask for https', () => {
    const secure = createAddressPolicy({ allowedCidrs: [], httpsOnly: true });
    expect(codeFor('http://example.com/', secure)).toBe('url_scheme');
    expect(codeFor('https://example.com/', secure)).toBe('ok');
  });

  test('refuses this system itself, with what is beneath it, at its port', () => {
    const guarded = createAddressPolicy({
      allowedCidrs: ['127.0.0.0/8'],
      ownHosts: [
        'API.posthorn.example.',
        '8.8.8.8',
        'both.example:8443',
        '127.0.0.1:3000',
        '[2606:4700::1]:80',
      ],
    });
    for (const own of [
      'https://api.posthorn.example/v1/events',
      'https://API.Posthorn.example.:8443/',
      'https://eu.api.posthorn.example/',
      'https://8.8.8.8/',
      'https://134744072:8443/',
      'http://[::ffff:8.8.8.8]/',
      'https://both.example:8443/',
      'http://127.0.0.1:3000/',
      'http://127.1:3000/',
      'http://[::ffff:7f00:1]:3000/',
      'http://[2606:4700:0::1]/',
      'https://[64:ff9b::8.8.8.8]/',
      'https://[2002:808:808::1]/',
      'https://[2600::5efe:8.8.8.8]/',
    ]) {
      expect(codeFor(own, guarded), own).toBe('url_host_reserved');
    }
    for (const other of [
      'https://posthorn.example/',
      'https://notapi.posthorn.example/',
      'https://both.example/',
      'http://127.0.0.1:3001/',
      'https://[2606:4700::1]/',
    ]) {
      expect(codeFor(other, guarded), other).toBe('ok');
    }
  });

  test('refuses hosts by pattern', () => {
    const guarded = createAddressPolicy({
      allowedCidrs: [],
      deniedHosts: ['*.corp.example', 'API.example.com.', '*-internal.*', 'bücher.example', '1.1.1.1'],
    });
    for (const denied of [
      'a.corp.example',
      'a.b.corp.example',
      'api.example.com',
      'db-internal.example.org',
      'xn--bcher-kva.example',
      'bücher.example',
      '1.1.1.1',
    ]) {
      expect(codeFor(`https://${denied}/`, guarded), denied).toMatch(/^url_(host_reserved|address_blocked)$/);
    }
    for (const other of [
      'corp.example',
      'xcorp.example',
      'eu.api.example.com',
      'internal.example.org',
      '1.1.1.2',
    ]) {
      expect(codeFor(`https://${other}/`, guarded), other).toBe('ok');
    }
  });

  test('can allow some ports alone; a range opens none of those that are no web servers', () => {
    const strictPorts = createAddressPolicy({ allowedCidrs: [], allowedPorts: ['443', '25', '6000-6999'] });
    const open = [443, 25, 6001, 6999].map((port) => codeFor(`http://example.com:${port}/`, strictPorts));
    expect(open).toEqual(['ok', 'ok', 'ok', 'ok']);
    for (const port of [80, 442, 6000, 6379, 7000]) {
      expect(codeFor(`http://example.com:${port}/`, strictPorts), String(port)).toBe('url_port');
    }
  });

  test('can deny other ports than the usual', () => {
    const lax = createAddressPolicy({ allowedCidrs: [], deniedPorts: [8080] });
    expect(codeFor('https://example.com:25/', lax)).toBe('ok');
    expect(codeFor('https://example.com:8080/', lax)).toBe('url_port');
  });
});

test('no text makes the check throw, and what it accepts is parsed the same again', () => {
  const urlish = fc.array(
    fc.constantFrom(
      'http',
      's',
      '://',
      '@',
      ':',
      '[',
      ']',
      '.',
      '/',
      '?',
      '#',
      '%',
      '1',
      '127',
      'a',
      '::',
      'ä',
      '\\',
    ),
    {
      maxLength: 14,
    },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.webUrl(),
        urlish.map((parts) => `http://${parts.join('')}`),
      ),
      (text) => {
        const check = checkUrl(text, strict);
        if (check.ok) expect(parseTarget(text)).toEqual(check.url);
      },
    ),
    { numRuns: 500 },
  );
});

test('a stored text that is no http URL has no target', () => {
  for (const text of ['', 'nonsense', 'ftp://example.com/', 'http://a..b/'])
    expect(parseTarget(text)).toBeNull();
});
