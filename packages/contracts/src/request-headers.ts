/** What receivers read of the sender. The version is the project's; nothing may depend on it. */
export const USER_AGENT = 'Posthorn/0.1.0';

/** Standard Webhooks' headers and the plain one beside them, as `sign` of `@posthorn/signing` gives them. */
export interface SignedHeaders {
  readonly 'webhook-id': string;
  readonly 'webhook-timestamp': string;
  readonly 'webhook-signature': string;
  readonly 'x-webhook-signature': string;
}

export interface RequestFacts {
  readonly signature: SignedHeaders;
  readonly eventId: string;
  readonly eventType: string;
  readonly run: number;
  readonly attempt: number;
  readonly contentType: string;
  /** At a system endpoint: the tenant whose event it is. */
  readonly sourceTenantId?: string | undefined;
  readonly userAgent: string;
  /** The endpoint's own headers; their names are none of ours. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

/**
 * The headers of a delivery's request as name, value, name, value: the form that costs least to send. The one place that
 * knows them: what is sent, and what is shown of it afterwards, are made here.
 */
export function requestHeaders(facts: RequestFacts): string[] {
  const { signature } = facts;
  const headers = [
    'webhook-id',
    signature['webhook-id'],
    'webhook-timestamp',
    signature['webhook-timestamp'],
    'webhook-signature',
    signature['webhook-signature'],
    'x-webhook-signature',
    signature['x-webhook-signature'],
    'x-webhook-event-id',
    facts.eventId,
    'x-webhook-event-type',
    facts.eventType,
    'x-webhook-run',
    String(facts.run),
    'x-webhook-attempt',
    String(facts.attempt),
    'content-type',
    facts.contentType,
    'user-agent',
    facts.userAgent,
  ];
  if (facts.sourceTenantId !== undefined) headers.push('x-webhook-tenant-id', facts.sourceTenantId);
  for (const [name, value] of facts.headers) headers.push(name, value);
  return headers;
}

const SENSITIVE =
  /auth(?!ors?(?:-|$))|cookie|token|secret|passw|credential|session|signature|api-?key|access-?key|private|jwt/;

/** Whether a header's value is kept from the record and from whoever reads it. @param name in lower case. */
export const isSensitiveHeader = (name: string): boolean => SENSITIVE.test(name);

/** What stands in place of a value that nobody is to read. */
export const REDACTED = '[redacted]';
