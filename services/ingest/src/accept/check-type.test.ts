import type { CatalogueEntry } from '@posthorn/tenant-config';
import { describe, expect, it } from 'vitest';
import type { CheckOutcome } from '../check-payload/check-lane.ts';
import { checkType, type TypeVerdict } from './check-type.ts';
import type { PostedEvent } from './posted-event.ts';

const ENTRY: CatalogueEntry = {
  name: 'order.created',
  state: 'active',
  enforcement: 'reject',
  version: 3,
  schema: '{}',
  schemaKey: 'k',
  example: null,
};
const EVENT: PostedEvent = {
  tenantId: 'acme',
  type: 'order.created',
  labels: {},
  occurredAt: null,
  deliverAtMs: null,
  payload: Buffer.from('{}'),
  payloadPointer: '/payload',
  contentType: 'application/json',
  clientEventId: null,
};
const FAULTS: CheckOutcome = { kind: 'faults', faults: [{ pointer: '/id', detail: 'is required' }] };

interface Given {
  readonly entry?: Partial<CatalogueEntry> | null;
  readonly loaded?: boolean;
  readonly event?: Partial<PostedEvent>;
  readonly unknown?: 'allow' | 'warn' | 'reject';
  readonly outcome?: CheckOutcome;
}

function verdict({ entry = {}, loaded = true, event = {}, unknown, outcome }: Given) {
  const parts = {
    catalogue: { loaded, find: () => (entry === null ? undefined : { ...ENTRY, ...entry }) },
    payloadChecks: {
      check: async (): Promise<CheckOutcome> => {
        if (!outcome) throw new Error('nothing was to be checked');
        return outcome;
      },
    },
  };
  const tenant = { tenantId: 'acme', ...(unknown ? { unknownEventTypes: unknown } : {}) };
  return checkType(parts, tenant, { ...EVENT, ...event });
}

const codeOf = (found: TypeVerdict): unknown =>
  'kind' in found ? found.code : found.map(({ code }) => code);

describe('an event of a type that is not checked', () => {
  it.each([
    ['not in the catalogue', { entry: null }],
    ['archived', { entry: { state: 'archived' } }],
    ['without enforcement', { entry: { enforcement: 'off' } }],
    ['without a schema', { entry: { schema: null } }],
  ] as const)('(%s) is told nothing, at once', (_name, given) => {
    expect(verdict(given)).toEqual([]);
  });

  it('waits for nothing when Postgres has never answered: it is refused', () => {
    expect(verdict({ entry: null, loaded: false })).toMatchObject({ code: 'tenant_unavailable' });
  });

  it.each([
    ['warn', null, ['event_type_unknown']],
    ['reject', null, 'event_type_unknown'],
    ['warn', { state: 'archived' }, ['event_type_unknown']],
    ['reject', { state: 'archived' }, 'event_type_unknown'],
    ['reject', { state: 'active', enforcement: 'off' }, []],
  ] as const)('under the policy %s for unknown types, where it is %j, has %j', (unknown, entry, expected) => {
    expect(codeOf(verdict({ unknown, entry }) as TypeVerdict)).toEqual(expected);
  });

  it('is told that its type is deprecated', () => {
    const found = verdict({ entry: { state: 'deprecated', enforcement: 'off' } });
    expect(codeOf(found as TypeVerdict)).toEqual(['event_type_deprecated']);
  });
});

describe('an event of a type with a schema', () => {
  it('that fits is told nothing', async () => {
    expect(await verdict({ outcome: { kind: 'fits' } })).toEqual([]);
  });

  it.each(['/payload', '/data', ''])(
    'that does not is refused by pointers from %j',
    async (payloadPointer) => {
      expect(await verdict({ outcome: FAULTS, event: { payloadPointer } })).toMatchObject({
        code: 'payload_invalid',
        detail: 'the payload does not fit the schema of order.created, version 3',
        errors: [{ pointer: `${payloadPointer}/id`, detail: 'is required' }],
      });
    },
  );

  it('or, where that is its enforcement, warned of the same', async () => {
    const found = await verdict({ outcome: FAULTS, entry: { enforcement: 'warn', state: 'deprecated' } });
    expect(found).toMatchObject([
      { code: 'event_type_deprecated' },
      { code: 'payload_invalid', errors: [{ pointer: '/payload/id' }] },
    ]);
  });

  it.each(['timeout', 'crashed', 'busy', 'failed'] as const)(
    'that cannot be checked (%s) is not let by',
    async (reason) => {
      const outcome = { kind: 'not_checked', reason } as const;
      expect(await verdict({ outcome })).toMatchObject({
        code: 'payload_not_checked',
        headers: { 'retry-after': '1' },
      });
      expect(codeOf(await verdict({ outcome, entry: { enforcement: 'warn' } }))).toEqual([
        'payload_not_checked',
      ]);
    },
  );

  it('needs a payload that is JSON, of whatever name', async () => {
    const text = { contentType: 'text/csv', payloadPointer: '/payload_text' };
    expect(await verdict({ event: text })).toMatchObject({
      code: 'payload_invalid',
      errors: [{ pointer: '/payload_text', detail: 'is text/csv: the schema of its type is for JSON' }],
    });
    const named = { contentType: 'application/vnd.shop+json; v=1' };
    expect(await verdict({ event: named, outcome: { kind: 'fits' } })).toEqual([]);
  });

  it('is told of faults in members with long names by pointers that are cut', async () => {
    const outcome: CheckOutcome = {
      kind: 'faults',
      faults: [{ pointer: `/${'x'.repeat(9_999)}`, detail: 'is' }],
    };
    const found = await verdict({ outcome });
    expect('errors' in found && found.errors?.[0]?.pointer.length).toBeLessThan(200);
  });
});
