import { expect, test } from 'vitest';
import { parseProxyUrl } from './parse-proxy-url.ts';

const parse = (text: string) => parseProxyUrl(text, { resolvesNames: false });

test.each([
  ['http://proxy.corp:3128', { kind: 'http', host: 'proxy.corp', port: 3_128, credentials: null }],
  ['http://proxy.corp', { kind: 'http', port: 80 }],
  ['https://proxy.corp/', { kind: 'https', host: 'proxy.corp', port: 443 }],
  ['socks5://10.0.0.1', { kind: 'socks5', host: '10.0.0.1', port: 1_080 }],
  ['socks5://[fd00::1]:9050', { kind: 'socks5', host: 'fd00::1', port: 9_050 }],
  ['http://user:p%40ss@proxy.corp', { credentials: { username: 'user', password: 'p@ss' } }],
  ['http://token@proxy.corp', { credentials: { username: 'token', password: '' } }],
  ['socks5://user:pass@proxy.corp', { credentials: { username: 'user', password: 'pass' } }],
])('%s is taken', (text, proxy) => {
  expect(parse(text)).toMatchObject(proxy);
});

test.each([
  ['proxy.corp', 'is not a URL'],
  ['proxy.corp:3128', 'must start with http://, https:// or socks5://'],
  ['socks4://proxy.corp', 'must start with http://, https:// or socks5://'],
  ['socks5h://proxy.corp', 'must start with http://, https:// or socks5://'],
  ['socks5://', 'has no host'],
  ['http://proxy.corp/path', 'has more than a host, a port and credentials'],
  ['http://proxy.corp?x=1', 'has more than a host, a port and credentials'],
  ['http://a%3Ab:secret@proxy.corp', 'has a colon in its user name'],
  ['http://a:%zz@proxy.corp', 'has credentials with a malformed percent sign'],
  ['socks5://user@proxy.corp', 'has a user name or password that is empty or longer than 255 bytes'],
  [
    `socks5://a:${'b'.repeat(256)}@proxy.corp`,
    'has a user name or password that is empty or longer than 255 bytes',
  ],
])('%s is refused: it %s', (text, message) => {
  expect(() => parse(text)).toThrow(new Error(message));
});
