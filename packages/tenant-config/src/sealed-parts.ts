import type { TenantEndpointRow } from '@posthorn/db';
import { type KeyRing, openSecret } from '@posthorn/secrets';
import {
  AUTH_FIELD,
  type OwnHeaders,
  type ReceiverAuth,
  type ReceiverTls,
  readAuth,
  readTls,
  TLS_FIELD,
} from './receiver-auth.ts';

/** A signing secret in the clear. */
export interface EndpointSecret {
  readonly text: string;
  /** From then on it signs nothing; null: as long as it is there. */
  readonly expiresAtMs: number | null;
}

/** The field that an endpoint's signing secrets are sealed for. */
export const SIGNING_SECRET_FIELD = 'signing_secret';

/** The field that an endpoint's ed25519 private keys are sealed for. */
export const ED25519_KEY_FIELD = 'ed25519_key';

/** The field that the value of a header of the receiver's own is sealed for. */
export const headerField = (name: string): string => `header:${name}`;

/**
 * What of an endpoint is sealed. Each part is *sealed* until the first look at it, then *open* for good; one that does
 * not open throws at every look (SealedSecretError), and the others open all the same.
 */
export class SealedParts {
  readonly #row: TenantEndpointRow;
  readonly #tenantId: string;
  readonly #keyRing: KeyRing | null;
  #secrets: readonly EndpointSecret[] | undefined;
  #signingKeys: readonly EndpointSecret[] | undefined;
  #headers: OwnHeaders | undefined;
  #auth: ReceiverAuth | undefined;
  #tls: ReceiverTls | undefined;

  constructor(row: TenantEndpointRow, tenantId: string, keyRing: KeyRing | null) {
    this.#row = row;
    this.#tenantId = tenantId;
    this.#keyRing = keyRing;
  }

  get secrets(): readonly EndpointSecret[] {
    const { sealedSecrets, secretsExpireAtMs } = this.#row;
    this.#secrets ??= this.#openEach(SIGNING_SECRET_FIELD, held(sealedSecrets), secretsExpireAtMs);
    return this.#secrets;
  }

  get signingKeys(): readonly EndpointSecret[] {
    const { sealedSigningKeys = [], signingKeysExpireAtMs = [] } = this.#whole();
    this.#signingKeys ??= this.#openEach(ED25519_KEY_FIELD, sealedSigningKeys, signingKeysExpireAtMs);
    return this.#signingKeys;
  }

  get headers(): OwnHeaders {
    this.#headers ??= Object.entries(held(this.#row.sealedHeaders)).map(([name, sealed]) => [
      name,
      this.#open(headerField(name), sealed),
    ]);
    return this.#headers;
  }

  get auth(): ReceiverAuth | null {
    const { sealedAuth } = this.#whole();
    if (!sealedAuth) return null;
    this.#auth ??= readAuth(this.#open(AUTH_FIELD, sealedAuth));
    return this.#auth;
  }

  get tls(): ReceiverTls | null {
    const { sealedTls } = this.#whole();
    if (!sealedTls) return null;
    this.#tls ??= readTls(this.#open(TLS_FIELD, sealedTls));
    return this.#tls;
  }

  /** Of what an endpoint may be without: secrets it always has, so where they are loaded the rest is. */
  #whole(): TenantEndpointRow {
    held(this.#row.sealedSecrets);
    return this.#row;
  }

  #openEach(
    field: string,
    sealed: readonly string[],
    expireAtMs: readonly (number | null)[],
  ): EndpointSecret[] {
    return sealed.map((text, place) => ({
      text: this.#open(field, text),
      expiresAtMs: expireAtMs[place] ?? null,
    }));
  }

  #open(field: string, sealed: string): string {
    const { endpointId } = this.#row;
    return openSecret(held(this.#keyRing), { tenantId: this.#tenantId, endpointId, field }, sealed);
  }
}

/** What was not loaded must not be taken for what there is not: a request would go out unsigned. */
function held<T>(loaded: T | null | undefined): T {
  if (loaded === null || loaded === undefined) throw new Error('secrets of endpoints were not loaded');
  return loaded;
}
