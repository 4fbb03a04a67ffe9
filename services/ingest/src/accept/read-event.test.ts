import { MAX_EVENT_BYTES } from '@posthorn/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText, jsonText } from '../../test/json-text.ts';
import { ATTRIBUTES, BINARY, context, faultsOf, JSON_BODY, read, STRUCTURED } from '../../test/read-forms.ts';
import { parseCloudEvent } from './parse-cloud-event.ts';
import { MAX_EVENT_REQUEST_BYTES, parseEvent } from './parse-event.ts';
import type { PostedEvent } from './posted-event.ts';
import { splitArray, splitLines } from './split-batch.ts';

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

  it.each(['a\r\nb', 'a\nwebhook-id: b', 'a\u0000', '\u009b1m', 'x'.repeat(257)])(
    'an id of the sender’s with control characters is refused: %j',
    (id) => {
      expect(faultsOf({ type: 'a', payload: 1, event_id: id })[0]).toMatch(/^\/event_id must be 1–256/);
    },
  );

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

describe('a body of another media type', () => {
  it.each(['text/plain', 'application/cloudevents-batch+json', 'application/x-ndjson', ''])(
    '%j is refused',
    (type) => {
      expect(faultsOf('{}', { 'content-type': type })).toEqual(['unsupported_media_type']);
    },
  );
});
