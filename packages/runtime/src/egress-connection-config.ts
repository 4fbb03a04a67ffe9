import { choice, integer, parsed, secret } from './config.ts';

/** How the texts are read: `egressGrammar` of the egress package, which this one does not know. */
export interface EgressConnectionGrammar {
  /** The certificates in the PEM file of that path; none for an empty path. @throws {Error} saying what is wrong. */
  readonly authorities: (path: string) => readonly string[];
  /** @throws {Error} saying what is wrong, without the credentials. */
  readonly checkProxyUrl: (text: string) => void;
}

/** By what way, whom trusting and in how many connections whatever is allowed is called. */
export const egressConnectionConfig = (grammar: EgressConnectionGrammar) =>
  ({
    egressAuthorities: parsed(
      'EGRESS_CA_FILE',
      'the path of a PEM file with certificates',
      grammar.authorities,
      {
        fallback: '',
        doc: 'Certificate authorities of your own that receivers (and an `https` proxy) may have theirs from, beside those that Node trusts.',
      },
    ),
    egressProxyUrl: secret('EGRESS_PROXY_URL', {
      fallback: '',
      expected: 'http://, https:// or socks5:// with a host, and with user and password where it wants them',
      check: grammar.checkProxyUrl,
      doc: 'Proxy through which all requests to receivers go: HTTP CONNECT, plain or over TLS, or SOCKS5. Empty: none.',
    }),
    egressProxyDns: choice('EGRESS_PROXY_DNS', ['local', 'remote'], {
      fallback: 'local',
      doc: 'Who resolves names for the proxy. `local`: we do, and the proxy is told an address that was judged. `remote`: the proxy does, and must itself keep private addresses out of reach.',
    }),
    egressMaxConnections: integer('EGRESS_MAX_CONNECTIONS', {
      fallback: '4096',
      min: 1,
      max: 100_000,
      unit: 'connections',
      doc: 'Connections to receivers, idle ones included, but never more than three quarters of the file descriptors that the process may have. At the bound the longest idle one is closed.',
    }),
    egressMaxConnectionsPerAddress: integer('EGRESS_MAX_CONNECTIONS_PER_ADDRESS', {
      fallback: '256',
      min: 1,
      max: 100_000,
      unit: 'connections',
      doc: 'Connections to one address (of IPv6: to one network of 64 bits), whatever names, ports and tenants they are for.',
    }),
  }) as const;
