/** Where a tunnel is to end. */
export interface Asked {
  readonly host: string;
  readonly port: number;
}

export interface ForwardProxyOptions {
  readonly kind: 'http' | 'socks5';
  /** Asked for, and refused where they are others. */
  readonly credentials?: { readonly username: string; readonly password: string };
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Where a tunnel ends in place of what was asked for: what the resolver of a proxy would say of a name. */
  route?(asked: Asked): Asked;
  /** Says so instead of opening any tunnel: an HTTP status or a SOCKS5 reply. */
  readonly refuseWith?: number;
}

/** What a client wants, read off its socket; how it is told what came of it. */
export interface Greeted {
  readonly asked: Asked;
  opened(): void;
  failed(): void;
}
