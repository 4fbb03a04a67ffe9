/** What receivers read of the sender. The version is the project's; nothing may depend on it. */
export const USER_AGENT = 'Posthorn/0.1.0';

/** Standard Webhooks' headers and the plain one beside them, as `makeSignatures` of `@posthorn/signing` gives them. */
export interface Signatures {
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
  /** Null where no secret signs. */
  readonly bodySignature: string | null;
}

/** What the headers are called that are ours, in lower case. */
export interface RequestHeaderNames {
  readonly id: string;
  readonly timestamp: string;
  readonly signature: string;
  readonly bodySignature: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly run: string;
  readonly attempt: string;
  readonly tenantId: string;
}

/** @param prefix of the installation (`SIGNATURE_HEADER_PREFIX`): `webhook` gives `webhook-id`, `x-webhook-run`. */
export const requestHeaderNames = (prefix: string): RequestHeaderNames => ({
  id: `${prefix}-id`,
  timestamp: `${prefix}-timestamp`,
  signature: `${prefix}-signature`,
  bodySignature: `x-${prefix}-signature`,
  eventId: `x-${prefix}-event-id`,
  eventType: `x-${prefix}-event-type`,
  run: `x-${prefix}-run`,
  attempt: `x-${prefix}-attempt`,
  tenantId: `x-${prefix}-tenant-id`,
});

/** Whether a receiver's own header may not have this name, in lower case, since ours may. */
export const isOurHeader = (prefix: string, name: string): boolean =>
  name.startsWith(`${prefix}-`) || name.startsWith(`x-${prefix}-`);

export interface RequestFacts {
  readonly signature: Signatures;
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
export function requestHeaders(names: RequestHeaderNames, facts: RequestFacts): string[] {
  const { signature } = facts;
  const headers = [
    names.id,
    signature.id,
    names.timestamp,
    signature.timestamp,
    names.signature,
    signature.signature,
    names.eventId,
    facts.eventId,
    names.eventType,
    facts.eventType,
    names.run,
    String(facts.run),
    names.attempt,
    String(facts.attempt),
    'content-type',
    facts.contentType,
    'user-agent',
    facts.userAgent,
  ];
  if (signature.bodySignature !== null) headers.push(names.bodySignature, signature.bodySignature);
  if (facts.sourceTenantId !== undefined) headers.push(names.tenantId, facts.sourceTenantId);
  for (const [name, value] of facts.headers) headers.push(name, value);
  return headers;
}

const SENSITIVE =
  /auth(?!ors?(?:-|$))|cookie|token|secret|passw|credential|session|signature|api-?key|access-?key|private|jwt/;

/** Whether a header's value is kept from the record and from whoever reads it. @param name in lower case. */
export const isSensitiveHeader = (name: string): boolean => SENSITIVE.test(name);

/** What stands in place of a value that nobody is to read. */
export const REDACTED = '[redacted]';
