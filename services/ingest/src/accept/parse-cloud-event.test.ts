import { describe, expect, it } from 'vitest';
import { BINARY, faultsOf, JSON_BODY, read, STRUCTURED } from '../../test/read-forms.ts';

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

  it('with more attributes than there can be labels is refused, and one with a few too many by their number', () => {
    const valid = { specversion: '1.0', type: 'a', source: '/s', id: '1', data: 1 };
    const extensions = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`x${i}`, 'y']));
    expect(faultsOf({ ...valid, ...extensions(20) }, STRUCTURED)).toEqual([
      ' must have at most 20 members that become labels',
    ]);
    expect(faultsOf({ ...valid, ...extensions(1_000) }, STRUCTURED)).toEqual([
      ' must have at most 64 attributes',
    ]);
  });
});
