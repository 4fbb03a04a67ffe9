import { MAX_EVENT_BYTES } from '@posthorn/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, jsonText } from '../../test/json-text.ts';
import { isProblem } from '../http/problem.ts';
import { parseCloudEvent } from './parse-cloud-event.ts';
import { MAX_EVENT_REQUEST_BYTES, parseEvent } from './parse-event.ts';
import type { PostedEvent } from './posted-event.ts';
import { readEvent } from './read-event.ts';
import { splitArray, splitLines } from './split-batch.ts';

const context = { nowMs: Date.UTC(2026, 0, 1), tenantId: 'acme' };
const JSON_BODY = { 'content-type': 'application/json' };
const STRUCTURED = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
const BINARY = { 'ce-specversion': '1.0', 'ce-type': 'a', 'ce-source': '/s', 'ce-id': '1' };
const ATTRIBUTES = '"specversion":"1.0","type":"a","source":"/s","id":"1"';

function read(body: string | Buffer, headers: Record<string, string> = JSON_BODY): PostedEvent {
  const event = readEvent(headers, Buffer.from(body), context);
  if (isProblem(event)) throw new Error(JSON.stringify(event));
  return event;
}

function faultsOf(body: string | object, headers: Record<string, string> = JSON_BODY): string[] {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const refused = readEvent(headers, Buffer.from(text), context);
  if (!isProblem(refused)) throw new Error('was taken');
  return refused.errors?.map(({ pointer, detail }) => `${pointer} ${detail}`) ?? [refused.code];
}

async function* inChunks(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

async function onlyLine(chunks: readonly Buffer[]): Promise<Buffer> {
  const lines: unknown[] = [];
  for await (const line of splitLines(inChunks(chunks))) lines.push(line);
  expect(lines).toHaveLength(1);
  return lines[0] as Buffer;
}

describe('the bytes of a payload', () => {
  const asText = (event: PostedEvent): string => event.payload.toString('utf8');

  it('are those of its JSON text in every form that carries one', async () => {
    await fc.assert(
      fc.asyncProperty(jsonText, fc.nat(), async (text, cut) => {
        const envelope = `{"type":"a","payload":${text}}`;
        const cloud = `{${ATTRIBUTES},"data":${text}}`;
        const base64 = JSON.stringify({
          type: 'a',
          payload_base64: Buffer.from(text).toString('base64'),
          content_type: 'application/json',
        });
        const events = [
          read(envelope),
          read(cloud, STRUCTURED),
          read(text, { ...BINARY, ...JSON_BODY }),
          read(base64),
          read(`{${ATTRIBUTES},"data_base64":"${Buffer.from(text).toString('base64')}"}`, STRUCTURED),
          ...((await splitArray(Buffer.from(`[${envelope}, ${envelope}]`))) as Buffer[]).map((item) =>
            parseEvent(item, context),
          ),
          ...((await splitArray(Buffer.from(`[${cloud}]`))) as Buffer[]).map((item) =>
            parseCloudEvent(item, context),
          ),
        ];
        if (!text.includes('\n')) {
          const line = Buffer.from(`${envelope}\r\n`);
          const at = cut % line.length;
          events.push(
            parseEvent(await onlyLine([line.subarray(0, at), line.subarray(at)]), context) as PostedEvent,
          );
        }
        for (const event of events as PostedEvent[]) expect(asText(event)).toBe(text);
      }),
    );
  });

  it('are the UTF-8 of a text, however it was written', () => {
    fc.assert(
      fc.property(
        anyText.filter((text) => text.isWellFormed()),
        (text) => {
          const escaped = [...JSON.stringify(text)].map((char) =>
            char.charCodeAt(0) > 0x7e
              ? [...Array(char.length).keys()]
                  .map((i) => `\\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`)
                  .join('')
              : char,
          );
          for (const json of [JSON.stringify(text), escaped.join('')]) {
            expect(read(`{"type":"a","payload_text":${json}}`).payload).toEqual(Buffer.from(text));
            const cloud = `{${ATTRIBUTES},"datacontenttype":"text/x","data":${json}}`;
            expect(read(cloud, STRUCTURED).payload).toEqual(Buffer.from(text));
          }
        },
      ),
    );
  });

  it('are any at all in base64 and in binary mode', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (given) => {
        const bytes = Buffer.from(given);
        const base64 = bytes.toString('base64');
        for (const event of [
          read(`{"type":"a","payload_base64":"${base64}"}`),
          read(`{${ATTRIBUTES},"data_base64":"${base64}","datacontenttype":"image/png"}`, STRUCTURED),
          read(bytes, { ...BINARY, 'content-type': 'image/png' }),
        ])
          expect(event.payload.equals(bytes)).toBe(true);
      }),
    );
  });
});

describe('the kind of a payload', () => {
  it.each([
    [{ payload: 1 }, 'application/json'],
    [{ payload: {}, content_type: 'application/vnd.shop+json; v=2' }, 'application/vnd.shop+json; v=2'],
    [{ payload_text: 'x' }, 'text/plain; charset=utf-8'],
    [{ payload_text: '{}', content_type: 'application/json' }, 'application/json'],
    [{ payload_text: 'a;b', content_type: 'text/csv' }, 'text/csv'],
    [{ payload_text: '', content_type: 'text/csv; header="a \\" b"' }, 'text/csv; header="a \\" b"'],
    [{ payload_base64: '/w==' }, 'application/octet-stream'],
    [
      { payload_base64: '/w==', content_type: 'text/plain; charset=iso-8859-1' },
      'text/plain; charset=iso-8859-1',
    ],
  ])('%j is sent as %s', (payload, contentType) => {
    expect(read(JSON.stringify({ type: 'a', ...payload })).contentType).toBe(contentType);
  });

  it.each([
    [{}, '/payload is required'],
    [{ payload: 1, payload_text: 'x' }, '/payload_text says the same as payload: give one of them'],
    [
      { payload_text: 'x', payload_base64: '' },
      '/payload_base64 says the same as payload_text: give one of them',
    ],
    [
      { payload: 1, content_type: 'text/plain' },
      '/content_type must be a JSON type: what is not JSON goes into payload_text or payload_base64',
    ],
    [{ payload_text: 1 }, '/payload_text must be a string'],
    [{ payload_text: '\ud800' }, '/payload_text has half of a surrogate pair'],
    [
      { payload_text: 'ä', content_type: 'text/plain; charset=iso-8859-1' },
      '/content_type must not name a charset but utf-8, in which it is sent',
    ],
    [
      { payload_text: '{', content_type: 'application/json' },
      '/payload_text is not the JSON that its content type says: the body ends too early, at byte 1',
    ],
  ])('%j is refused', (payload, fault) => {
    expect(faultsOf({ type: 'a', ...payload })).toEqual([fault]);
  });

  it.each(['=', 'YQ', 'YQ=', 'YQ===', 'Y Q=', 'YQ==\n', 'YR==', 'YWI', '_-A=', 'YQ==YQ==', 'é'])(
    'base64 that no encoder writes (%j) is refused',
    (text) => {
      expect(faultsOf({ type: 'a', payload_base64: text })[0]).toMatch(/^\/payload_base64 must be base64/);
    },
  );

  it.each([
    'text',
    'text/',
    '/plain',
    'text/plain;',
    'text/plain; x',
    'text/plain\r\nx-evil: 1',
    'text/plain\n',
    'text/plain; a="\r\n"',
    'text/plain; a="',
    'téxt/plain',
    ' text/plain',
    '',
    `text/${'x'.repeat(252)}`,
  ])('the content type %j is refused', (contentType) => {
    expect(faultsOf({ type: 'a', payload_text: 'x', content_type: contentType })).toEqual([
      '/content_type must be a media type such as text/plain, 256 characters at most',
    ]);
  });

  it('the largest fits as base64, one byte more is too large in every form', () => {
    const largest = Buffer.alloc(MAX_EVENT_BYTES, 0xff);
    const body = `{"type":"a","payload_base64":"${largest.toString('base64')}"}`;
    expect(body.length).toBeLessThan(MAX_EVENT_REQUEST_BYTES);
    expect(read(body).payload.length).toBe(MAX_EVENT_BYTES);
    const more = Buffer.alloc(MAX_EVENT_BYTES + 1, 0x61);
    expect(faultsOf(`{"type":"a","payload_base64":"${more.toString('base64')}"}`)).toEqual([
      'payload_too_large',
    ]);
    expect(faultsOf(`{"type":"a","payload_text":"${more}"}`)).toEqual(['payload_too_large']);
    expect(faultsOf(`{${ATTRIBUTES},"data":"${more}"}`, STRUCTURED)).toEqual(['payload_too_large']);
    expect(faultsOf(more.toString(), { ...BINARY, 'content-type': 'text/plain' })).toEqual([
      'payload_too_large',
    ]);
  });
});

describe('an event in the short form', () => {
  it('needs a tenant from an operator, and is its key’s from a tenant', () => {
    const body = Buffer.from('{"type":"a","payload":1}');
    expect(parseEvent(body, context)).toMatchObject({ tenantId: 'acme' });
    expect(parseEvent(body, { ...context, tenantId: null })).toMatchObject({
      errors: [{ pointer: '/tenant_id', detail: 'is required' }],
    });
    const other = Buffer.from('{"type":"a","payload":1,"tenant_id":"other"}');
    expect(parseEvent(other, context)).toMatchObject({ tenantId: 'other' });
  });

  it.each([
    'Órder',
    'order.cre\u0301ated',
    'order created',
    'order\r\nx: 1',
    'a..b',
    '.a',
    'a.b.c.d.e.f.g.h.i',
    'A',
  ])('is refused with the type %j', (type) => {
    expect(faultsOf({ type, payload: 1 })[0]).toMatch(/^\/type must be 1–8 parts/);
  });

  it('names every fault at once', () => {
    const body = {
      type: 'A',
      payload_text: 1,
      content_type: '',
      labels: [],
      event_id: '',
      deliver_at: 'x',
      x: 1,
    };
    expect(faultsOf(body).map((fault) => fault.split(' ')[0])).toEqual([
      '/x',
      '/type',
      '/content_type',
      '/payload_text',
      '/labels',
      '/deliver_at',
      '/event_id',
    ]);
  });
});

describe('a CloudEvent', () => {
  const cloud = (more: object) =>
    read(
      JSON.stringify({ specversion: '1.0', type: 'a.b', source: '/shop', id: 'e 1', data: 1, ...more }),
      STRUCTURED,
    );

  it('gives its attributes the meaning of ours, and what we do not know becomes labels', () => {
    const event = cloud({
      tenant: 'other',
      time: '2026-01-31T12:00:00+01:00',
      subject: 'orders/7',
      dataschema: 'https://a.example/s',
      deliverat: '2026-01-02T00:00:00Z',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'x=1',
      region: 'eu',
      count: 7,
      fast: true,
      unset: null,
    });
    expect(event).toEqual({
      tenantId: 'other',
      type: 'a.b',
      clientEventId: '/shop e 1',
      occurredAt: '2026-01-31T11:00:00.000Z',
      deliverAtMs: Date.UTC(2026, 0, 2),
      labels: {
        source: '/shop',
        subject: 'orders/7',
        dataschema: 'https://a.example/s',
        region: 'eu',
        count: '7',
        fast: 'true',
      },
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      payload: Buffer.from('1'),
      payloadPointer: '/data',
      contentType: 'application/json',
    });
  });

  it('says the same in binary mode, its values percent-encoded', () => {
    const body = '{ "x":1.0 }';
    const event = read(body, {
      ...BINARY,
      'ce-tenant': 'other',
      'ce-time': '2026-01-31T12:00:00Z',
      'ce-subject': '%E2%82%AC %22x%22 100%',
      'ce-note': '"quoted \\" text"',
      'content-type': 'application/json; charset=utf-8',
    });
    expect(event).toMatchObject({
      tenantId: 'other',
      type: 'a',
      clientEventId: '/s 1',
      occurredAt: '2026-01-31T12:00:00.000Z',
      labels: { source: '/s', subject: '€ "x" 100%', note: 'quoted " text' },
      contentType: 'application/json; charset=utf-8',
    });
    expect(event.payload.toString()).toBe(body);
  });

  it('without data is delivered without a byte', () => {
    for (const event of [cloud({ data: undefined }), read('', { ...BINARY, ...JSON_BODY })]) {
      expect([event.payload.length, event.contentType]).toEqual([0, 'application/octet-stream']);
    }
  });

  it('does not take two events for one where source and id only look alike together', () => {
    expect(cloud({ source: '/a', id: 'b c' }).clientEventId).toBe('/a b c');
    expect(faultsOf({ specversion: '1.0', type: 'a', source: '/a b', id: 'c' }, STRUCTURED)).toContain(
      '/source must be a URI reference: no spaces',
    );
  });

  it.each([
    [{ specversion: '0.3' }, '/specversion must be "1.0"'],
    [{ id: '' }, '/id is required: a text that is not empty'],
    [{ id: 5 }, '/id is required: a text that is not empty'],
    [{ id: 'x'.repeat(600) }, expect.stringMatching(/^\/id must be 1–\d+ characters/)],
    [{ source: undefined }, '/source is required: a text that is not empty'],
    [{ type: 'Com.Example' }, expect.stringContaining('/type must be')],
    [{ time: 'x' }, expect.stringContaining('/time must be')],
    [{ data: 1, data_base64: 'YQ==' }, '/data_base64 says the same as data: give one of them'],
    [{ data: {}, datacontenttype: 'text/plain' }, '/data must be a string'],
    [{ my_ext: 'x' }, '/my_ext is no name of an attribute: a–z and 0–9 alone'],
    [{ ext: { a: 1 } }, '/ext must be a string, a whole number or a boolean'],
    [{ ext: 'a\r\nb' }, expect.stringContaining('/ext must be a string of at most 128 characters')],
    [{ ['__proto__']: 'x' }, '/__proto__ is no name of an attribute: a–z and 0–9 alone'],
  ])('is refused with %j', (more, fault) => {
    const valid = { specversion: '1.0', type: 'a', source: '/s', id: '1', data: 1 };
    expect(faultsOf({ ...valid, ...more }, STRUCTURED)).toEqual([fault]);
  });

  it.each([
    [{ 'ce-subject': '\u00e9' }, 'ce-subject must be percent-encoded where it is not ASCII'],
    [{ 'ce-subject': '%ff' }, 'ce-subject is not percent-encoded UTF-8'],
    [{ 'ce-subject': '%0d%0ax: 1' }, expect.stringContaining('ce-subject must be a string of at most')],
    [{ 'ce-my_ext': 'x' }, 'ce-my_ext is no name of an attribute: a–z and 0–9 alone'],
    [
      { 'content-type': 'application/json' },
      ' is not the JSON that its content type says: unexpected "x" at byte 0',
    ],
    [{ 'content-type': 'x' }, expect.stringContaining('ce-datacontenttype must be a media type')],
  ])('is refused with the headers %j', (more, fault) => {
    expect(faultsOf('x', { ...BINARY, 'content-type': 'text/plain', ...more })).toEqual([fault]);
  });
});

describe('a body of another media type', () => {
  it.each(['text/plain', 'application/cloudevents-batch+json', 'application/x-ndjson', ''])(
    '%j is refused',
    (type) => {
      expect(faultsOf('{}', { 'content-type': type })).toEqual(['unsupported_media_type']);
    },
  );
});
