import { createTlsIdentity } from '@posthorn/egress';
import { sign } from '@posthorn/signing';
import { type EndpointConfig, ownHeadersOf, tlsPartsOf } from '@posthorn/tenant-config';
import { signingKeysAt } from '../signing-keys-at.ts';
import type { Candidate, Declined } from './handshake.ts';

export interface CandidateOptions {
  readonly headerPrefix: string;
  readonly nowMs: number;
  /** A signed id of its own: no delivery's. */
  readonly messageId: string;
}

/**
 * A webhook as the handshake asks it: signed and authorised as its deliveries will be. Declined where nothing could be
 * delivered to it either: it is not asked in a way that is less than what it wants. @throws SealedSecretError
 */
export function toCandidate(
  endpoint: EndpointConfig,
  { headerPrefix, nowMs, messageId: id }: CandidateOptions,
): { readonly kind: 'ready'; readonly candidate: Candidate } | Declined {
  const { endpointId, tenantId, url, tls: parts } = endpoint;
  const keys = signingKeysAt(endpoint, nowMs);
  if (keys.length === 0) return { kind: 'declined', detail: 'no secret of the webhook signs' };
  const tls = parts ? createTlsIdentity(tlsPartsOf(parts)) : null;
  if (tls?.ok === false)
    return { kind: 'declined', detail: `its certificates are not usable: ${tls.part} ${tls.detail}` };
  const timestampSeconds = Math.floor(nowMs / 1_000);
  const candidate = {
    endpointId,
    tenantId,
    url,
    headers: ownHeadersOf(endpoint, headerPrefix),
    sign: (body: Buffer) =>
      Object.entries(sign({ id, timestampSeconds, body, keys }, { headerPrefix })).flat(),
    tls: tls?.identity,
  };
  return { kind: 'ready', candidate };
}
