/** Where a tunnel is to end: an address that was vetted, or a name for a proxy that resolves names. */
export interface TunnelEnd {
  readonly address: string;
  readonly port: number;
}

/** Why a proxy opened no tunnel, for operators. */
export interface ProxyRefusal {
  readonly operatorDetail: string;
  readonly timedOut?: boolean;
}
