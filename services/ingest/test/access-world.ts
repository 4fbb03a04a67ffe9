import { parseKeyRing } from '@posthorn/secrets';
import { createPortalTokens } from '../src/access/portal-token.ts';
import { createApi } from '../src/http/app.ts';
import { startApi, type TestApi } from './api.ts';
import { recordFailure } from './record-failure.ts';

/** Ids by the names that paths have for them. */
export type Objects = Readonly<Record<string, string>>;

export type Role =
  | `operator ${'admin' | 'manage' | 'read' | 'ingest'}`
  | `tenant ${TenantScope}`
  | PortalRole;
type TenantScope = 'manage' | 'read' | 'ingest';
type PortalRole = 'portal manage' | 'portal read';

/**
 * Two tenants with one of everything that the API shows, and a key or token for every role: of operators, and of
 * `other`, who is not to see what is of `acme`.
 */
export interface AccessWorld {
  readonly api: TestApi;
  readonly document: OpenApi;
  readonly operations: readonly DocumentedOperation[];
  readonly acmeKey: string;
  readonly otherKey: string;
  readonly otherPortal: string;
  readonly keys: Readonly<Record<Role, string>>;
  /** What is acme's. */
  readonly acme: Objects;
  readonly other: Objects;
  /** Well-formed ids of what never was. */
  readonly never: Objects;
}

export interface DocumentedOperation {
  readonly id: string;
  readonly method: string;
  /** With `{names}`. */
  readonly path: string;
  readonly scope: string;
  readonly callers: readonly string[];
  readonly needsKey: boolean;
  readonly parameters: readonly { readonly name: string; readonly in: string }[];
  /** The schema and the example of a JSON body. */
  readonly body: { readonly example: unknown; readonly properties: readonly string[] } | null;
}

// biome-ignore lint/suspicious/noExplicitAny: a document is looked into freely
export type OpenApi = any;

/** Nobody is to read them: of acme's webhook and of what is posted to it. */
export const CANARIES = [
  'whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5',
  'canary-header-value',
  'canary-password',
];

const NEVER: Objects = {
  tenant: 'nobody',
  tenant_id: 'nobody',
  webhook_id: 'ep_019d3c1e7f007a118a220123456789ab',
  event_id: '019d3c1e-7f00-7a11-8a22-0123456789ab',
  delivery_id: '019d3c1e-7f00-7a11-8a22-0123456789ab_0123456789abcdef',
  attempt_id: '019d3c1e-8400-7b21-9c33-89abcdef0123',
  job_id: '8d0c4a3e-52f1-4c6b-9a57-0f2e4d6c8b1a',
  key_id: 'key_0123456789abcdef',
};

export async function startAccessWorld(): Promise<AccessWorld> {
  // The examples of the document go to hosts that a test's own rule does not let through.
  const api = await startApi((parts) => ({ ...parts, urlFault: () => null }));
  const document = await readDocument(api);
  const [acmeKey, otherKey] = [(await api.createTenant('acme')).key, (await api.createTenant('other')).key];
  const [acme, other] = [await makeObjects(api, 'acme', acmeKey), await makeObjects(api, 'other', otherKey)];
  const keys = await makeKeys(api);
  const operations = operationsOf(document);
  const otherPortal = keys['portal manage'];
  return { api, document, operations, acmeKey, otherKey, otherPortal, keys, acme, other, never: NEVER };
}

async function readDocument(api: TestApi): Promise<OpenApi> {
  const described = createApi(api.parts);
  await described.app.ready();
  const document = described.document();
  await described.app.close();
  return JSON.parse(JSON.stringify(document));
}

function operationsOf(document: OpenApi): DocumentedOperation[] {
  return Object.entries<OpenApi>(document.paths).flatMap(([path, methods]) =>
    Object.entries<OpenApi>(methods).map(([method, operation]) => ({
      id: operation.operationId,
      method: method.toUpperCase(),
      path,
      scope: operation['x-scope'],
      callers: operation['x-callers'] ?? [],
      needsKey: operation.security.length > 0,
      parameters: operation.parameters ?? [],
      body: bodyOf(document, operation),
    })),
  );
}

function bodyOf(document: OpenApi, operation: OpenApi): DocumentedOperation['body'] {
  const media = operation.requestBody?.content?.['application/json'];
  if (!media) return null;
  const named = media.schema.$ref?.split('/').at(-1);
  const schema = named ? document.components.schemas[named] : media.schema;
  const example =
    media.example ?? Object.values<OpenApi>(media.examples ?? {})[0]?.value ?? schema.examples?.[0];
  return { example, properties: Object.keys(schema.properties ?? {}) };
}

async function makeKeys(api: TestApi): Promise<Record<Role, string>> {
  const make = async (path: string, body: object) => {
    const { status, body: made } = await api.call('POST', path, body);
    if (status !== 201) throw new Error(`${path} answered ${status}: ${JSON.stringify(made)}`);
    return made.key ?? made.token;
  };
  const key = (scope: string, tenant_id: string | null) => make('/v1/keys', { tenant_id, scopes: [scope] });
  const token = (scopes: readonly string[]) => make('/v1/portal-tokens', { tenant_id: 'other', scopes });
  return {
    'operator admin': await key('admin', null),
    'operator manage': await key('manage', null),
    'operator read': await key('read', null),
    'operator ingest': await key('ingest', null),
    'tenant manage': await key('manage', 'other'),
    'tenant read': await key('read', 'other'),
    'tenant ingest': await key('ingest', 'other'),
    'portal manage': await token(['read', 'manage']),
    'portal read': await token(['read']),
  };
}

async function makeObjects(api: TestApi, tenantId: string, key: string): Promise<Objects> {
  const post = async (path: string, body: object) => {
    const answer = await api.call('POST', path, body, { key });
    if (answer.status >= 300) throw new Error(`${path} answered ${answer.status}: ${answer.text}`);
    return answer.body;
  };
  const webhook = {
    tenant_id: tenantId,
    url: `https://${tenantId}.example/`,
    secret: CANARIES[0],
    headers: { 'x-token': CANARIES[1] },
    labels: { project: 'apollo' },
  };
  const endpointId: string = (await post('/v1/webhooks', webhook)).webhook_id;
  await post('/v1/webhooks', { ...webhook, labels: { project: 'gemini' } });
  const recorded = await recordFailures(api, tenantId, endpointId);
  const job = await post('/v1/dlq/retry', { tenant_id: tenantId });
  const made = await post('/v1/keys', { tenant_id: tenantId, scopes: ['read'] });
  return {
    tenant: tenantId,
    tenant_id: tenantId,
    webhook_id: endpointId,
    ...recorded,
    job_id: job.job_id,
    key_id: made.key_id,
  };
}

/** What the recorder writes for two events, each with a delivery that failed for good. */
async function recordFailures(api: TestApi, tenantId: string, endpointId: string): Promise<Objects> {
  const first = await recordFailure(api, tenantId, endpointId);
  await recordFailure(api, tenantId, endpointId);
  return { ...first };
}

/** A token of another installation, for the same tenant and good otherwise. */
export const forgePortalToken = (nowMs: number): Promise<string> =>
  createPortalTokens(parseKeyRing(Buffer.alloc(32, 9).toString('base64'))).issue({
    tokenId: 'ptk_forged',
    tenantId: 'other',
    scopes: ['read', 'manage'],
    labels: null,
    name: null,
    issuedAtMs: nowMs,
    expiresAtMs: nowMs + 60_000,
  });

/** The same place with other objects: the names of a path that none has stay as they are. */
export const fillPath = (path: string, objects: Objects): string =>
  path.replace(/\{([a-z_]+)\}/g, (hole, name: string) => objects[name] ?? hole.slice(1, -1));
