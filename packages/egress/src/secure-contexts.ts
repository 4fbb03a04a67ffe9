import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import type { TlsIdentity } from './tls-identity.ts';

const MIN_VERSION = 'TLSv1.2';

/**
 * The TLS contexts of an agent: one for all receivers without an identity of their own, made when the first connection is
 * secure (making it parses every certificate authority), and one for each identity, the least recently used forgotten.
 */
export class SecureContexts {
  readonly #operatorAuthorities: readonly string[];
  readonly maxIdentities: number;
  readonly #ofIdentities = new Map<string, SecureContext>();
  #shared: SecureContext | undefined;
  /** How many were made, the shared one included: each costs what the parsing of its authorities does. */
  made = 0;

  constructor(operatorAuthorities: readonly string[], maxIdentities: number) {
    this.#operatorAuthorities = operatorAuthorities;
    this.maxIdentities = maxIdentities;
  }

  get size(): number {
    return this.#ofIdentities.size;
  }

  of(identity: TlsIdentity | undefined): SecureContext {
    if (identity === undefined) {
      this.#shared ??= this.#make(undefined);
      return this.#shared;
    }
    const known = this.#ofIdentities.get(identity.id);
    const context = known ?? this.#make(identity);
    // The order of a Map is that of insertion: reinserting keeps the least recently used in front.
    if (known !== undefined) this.#ofIdentities.delete(identity.id);
    this.#ofIdentities.set(identity.id, context);
    if (this.#ofIdentities.size > this.maxIdentities) {
      this.#ofIdentities.delete(this.#ofIdentities.keys().next().value!);
    }
    return context;
  }

  #make(identity: TlsIdentity | undefined): SecureContext {
    this.made++;
    const { ca, cert, key } = identity?.read() ?? {};
    return createSecureContext({
      ...this.#authorities(ca),
      ...(cert === undefined ? {} : { cert, key }),
      minVersion: MIN_VERSION,
    });
  }

  /** Without any named, OpenSSL's store of Node's authorities is shared by all contexts: 20 KB each instead of 1.3 MB. */
  #authorities(ca: string | undefined): { ca?: string[] } {
    if (ca !== undefined) return { ca: [ca] };
    if (this.#operatorAuthorities.length === 0) return {};
    return { ca: [...getCACertificates('default'), ...this.#operatorAuthorities] };
  }
}
