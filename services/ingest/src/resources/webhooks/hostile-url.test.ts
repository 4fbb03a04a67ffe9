import dns from 'node:dns';
import dnsPromises from 'node:dns/promises';
import { checkUrl, createAddressPolicy } from '@posthorn/egress';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Bundle, OPERATOR_KEY, setup } from '../../../test/setup.ts';
import { type App, createApp } from '../../http/app.ts';

const policy = createAddressPolicy({ allowedCidrs: [], ownHosts: ['api.posthorn.example.com'] });

let bundle: Bundle;
let app: App;
let path: string;
const STORED = 'https://hooks.example.com/in';

beforeAll(async () => {
  bundle = await setup({});
  bundle.addTenant('acme', { maxWebhooks: 100 });
  const urlFault = (url: string): string | null => {
    const check = checkUrl(url, policy);
    return check.ok ? null : check.detail;
  };
  app = createApp({ ...bundle.parts, urlFault });
  const made = await call('POST', '/webhooks', { tenant_id: 'acme', url: STORED });
  path = `/webhooks/${made.json().webhook_id}`;
});
afterAll(() => Promise.all([app.close(), bundle.app.close()]));

const call = (method: 'POST' | 'PATCH' | 'PUT', url: string, payload: object) =>
  app.inject({ method, url, payload, headers: { authorization: `Bearer ${OPERATOR_KEY}` } });

/** Every question that Node can ask. */
const ASKERS: readonly object[] = [dns, dns.Resolver.prototype, dnsPromises, dnsPromises.Resolver.prototype];
const QUESTIONS = ASKERS.flatMap((owner) =>
  Object.getOwnPropertyNames(owner)
    .filter((name) => /^(lookup|resolve)/.test(name))
    .map((name) => [owner as Record<string, () => unknown>, name] as const),
);
const asked: string[] = [];
beforeEach(() => {
  for (const [owner, name] of QUESTIONS) {
    vi.spyOn(owner, name).mockImplementation(() => asked.push(name));
  }
});
afterEach(() => vi.restoreAllMocks());

/** The whole list is held to the check itself (packages/egress); these are one of each kind, by way of the API. */
const REFUSED = [
  ...[
    'http://127.0.0.1/',
    'http://2130706433/',
    'http://①②⑦.⓪.⓪.①/',
    'http://127.0.0.1./',
    'http://%31%32%37.0.0.1/',
  ],
  ...[
    'http://[::1]/',
    'http://[::ffff:10.0.0.1]/',
    'http://[2002:a9fe:a9fe::]/',
    'http://[64:ff9b::a00:1]/',
    'http://[fe80::1%25eth0]/',
  ],
  ...[
    'http://169.254.169.254/latest/meta-data/',
    'http://[fd00:ec2::254]/',
    'http://168.63.129.16/',
    'http://100.100.100.200/',
  ],
  ...[
    'http://localhost/',
    'http://metadata.google.internal./',
    'http://kubernetes.default.svc/',
    'https://db.internal/',
    'https://kafka/',
  ],
  ...[
    'https://user:secret@example.com/',
    'https://@example.com/',
    'https://example.com\\@10.0.0.1/',
    'https:///example.com/',
  ],
  ...[
    'ftp://example.com/',
    'file:///etc/passwd',
    'https://example.com:25/',
    'https://example.com:6379/',
    'https://example.com/#x',
  ],
  ...['https://api.posthorn.example.com/v1/events', 'https://eu.api.posthorn.example.com/'],
];

describe('a URL that leads inside', () => {
  it.each(REFUSED)('%s is refused when a webhook is made, changed and replaced', async (url) => {
    const before = bundle.webhooks.size;
    for (const [method, at, body] of [
      ['POST', '/webhooks', { tenant_id: 'acme', url }],
      ['PATCH', path, { url }],
      ['PUT', path, { url }],
    ] as const) {
      const answer = await call(method, at, body);
      expect([answer.statusCode, answer.json().code]).toEqual([400, 'invalid_request']);
      expect(answer.json().errors[0]).toMatchObject({ pointer: '/url' });
    }
    expect(bundle.webhooks.size).toBe(before);
    expect(asked).toEqual([]);
  });

  it.each(['http://169.254.169.254/token', 'https://localhost/token', 'https://a:b@example.com/token'])(
    'as the place where tokens are had it is refused as well: %s',
    async (token_url) => {
      const auth = { type: 'oauth2_client_credentials', token_url, client_id: 'a', client_secret: 'b' };
      const answer = await call('PATCH', path, { auth });
      expect(answer.statusCode).toBe(400);
      expect(answer.json().errors).toMatchObject([{ pointer: '/auth/token_url' }]);
      expect(asked).toEqual([]);
    },
  );
});

it.each([
  'https://db.corp-internal.example.com/',
  'https://no-such-name.example.com/',
  'https://10-0-0-1.nip.io/',
])('whether %s leads anywhere is asked of nobody: it is taken for what it reads', async (url) => {
  const made = await call('POST', '/webhooks', { tenant_id: 'acme', url });
  expect(made.statusCode).toBe(201);
  expect((await call('PATCH', `/webhooks/${made.json().webhook_id}`, { url: STORED })).statusCode).toBe(200);
  expect(asked).toEqual([]);
});
