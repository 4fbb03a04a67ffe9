import { createTlsIdentity } from '@posthorn/egress';
import { parseSigningKey, type SigningKey, sign } from '@posthorn/signing';
import { authHeaderOf, type EndpointConfig, signersOf } from '@posthorn/tenant-config';
import type { Candidate } from './handshake.ts';

export interface CandidateOptions {
  readonly headerPrefix: string;
  readonly nowMs: number;
  /** A signed id of its own: no delivery's. */
  readonly messageId: string;
}

/** A webhook as the handshake asks it: signed and authorised as its deliveries will be. @throws SealedSecretError */
export function toCandidate(endpoint: EndpointConfig, options: CandidateOptions): Candidate {
  const { headerPrefix, nowMs, messageId: id } = options;
  const keys = signersOf(endpoint)
    .filter(({ expiresAtMs }) => expiresAtMs === null || nowMs < expiresAtMs)
    .flatMap(({ scheme, text }) => toKey(parseSigningKey(scheme, text)));
  const authHeader = endpoint.auth ? authHeaderOf(endpoint.auth) : null;
  const tls = identityOf(endpoint);
  return {
    endpointId: endpoint.endpointId,
    tenantId: endpoint.tenantId,
    url: endpoint.url,
    headers: authHeader === null ? endpoint.headers : [...endpoint.headers, authHeader],
    sign: (body) =>
      Object.entries(
        sign({ id, timestampSeconds: Math.floor(nowMs / 1_000), body, keys }, { headerPrefix }),
      ).flat(),
    ...(tls === null ? {} : { tls }),
  };
}

const toKey = (parsed: { ok: true; key: SigningKey } | { ok: false }): SigningKey[] =>
  parsed.ok ? [parsed.key] : [];

/** Judged when it was given: what is none any more is left to the handshake of TLS to refuse. */
function identityOf({ tls }: EndpointConfig): Candidate['tls'] | null {
  if (!tls) return null;
  const made = createTlsIdentity({ ca: tls.ca, cert: tls.client_certificate, key: tls.client_key });
  return made.ok ? made.identity : null;
}
