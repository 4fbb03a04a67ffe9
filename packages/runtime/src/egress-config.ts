import { flag, integer, parsed, text } from './config.ts';
import { type EgressConnectionGrammar, egressConnectionConfig } from './egress-connection-config.ts';

type ParseList = (text: string) => readonly string[];

/** How the texts are read: `egressGrammar` of the egress package, which this one does not know. */
export interface EgressGrammar extends EgressConnectionGrammar {
  readonly cidrs: ParseList;
  readonly deniedCidrs: ParseList;
  readonly ports: ParseList;
  readonly hosts: ParseList;
  readonly nat64Prefixes: ParseList;
  readonly ownHosts: ParseList;
  readonly nameServers: ParseList;
}

/** What may be called, of every service that calls what tenants type in: the same for all of them. */
export const egressConfig = (grammar: EgressGrammar) =>
  ({ ...targetConfig(grammar), ...nameConfig(grammar), ...egressConnectionConfig(grammar) }) as const;

const targetConfig = (grammar: EgressGrammar) =>
  ({
    egressAllowedCidrs: parsed(
      'EGRESS_ALLOWED_CIDRS',
      'networks such as 127.0.0.0/8, comma-separated',
      grammar.cidrs,
      {
        fallback: '',
        doc: 'Networks that endpoints may be in although they are not public. Empty: public addresses only.',
      },
    ),
    egressDeniedCidrs: parsed(
      'EGRESS_DENIED_CIDRS',
      'networks such as 203.0.113.0/24, comma-separated',
      grammar.deniedCidrs,
      {
        fallback: '',
        doc: 'Networks that nothing is sent to although they are public, or allowed above.',
      },
    ),
    egressAllowedPorts: parsed(
      'EGRESS_ALLOWED_PORTS',
      'ports and ranges such as 443,8000-8999',
      grammar.ports,
      {
        fallback: '',
        doc: 'Ports that endpoints may have. Empty: all but those of databases, mail and other things that are no web servers; a range leaves these out too.',
      },
    ),
    egressDeniedHosts: parsed(
      'EGRESS_DENIED_HOSTS',
      'hosts such as api.example.com or *.example.com, comma-separated',
      grammar.hosts,
      {
        fallback: '',
        doc: 'Hosts that endpoints may not have: a name alone, or `*` for any characters of it.',
      },
    ),
    egressHttpsOnly: flag('EGRESS_HTTPS_ONLY', {
      fallback: 'false',
      doc: 'Whether endpoints must have `https` URLs.',
    }),
    egressNat64Prefixes: parsed(
      'EGRESS_NAT64_PREFIXES',
      'prefixes such as 2001:db8:64::/96, comma-separated',
      grammar.nat64Prefixes,
      {
        fallback: '',
        doc: 'Prefixes under which NAT64 of your network carries IPv4, beside `64:ff9b::/96`: such addresses are judged by their IPv4.',
      },
    ),
    ownHosts: parsed(
      'OWN_HOSTS',
      'hosts such as api.example.com or 203.0.113.10:3000, comma-separated',
      grammar.ownHosts,
      {
        fallback: '',
        doc: 'Where this API is reached, names (and all beneath them) and addresses, with a port or for all: no endpoint may be there.',
      },
    ),
    loopName: text('LOOP_NAME', {
      fallback: 'posthorn',
      pattern: /^[a-z0-9][a-z0-9._-]{0,62}$/,
      expected: 'up to 63 of a–z, 0–9, ".", "_" and "-"',
      doc: 'Name of this system in the header `cdn-loop` of its requests: a request to the API that has it is refused (508).',
    }),
  }) as const;

const nameConfig = (grammar: EgressGrammar) =>
  ({
    egressDnsServers: parsed(
      'EGRESS_DNS_SERVERS',
      'addresses such as 192.0.2.53 or [2001:db8::53]:5353, comma-separated',
      grammar.nameServers,
      { fallback: '', doc: 'Name servers that are asked for endpoints. Empty: those of the machine.' },
    ),
    egressDnsTimeoutMs: integer('EGRESS_DNS_TIMEOUT_MS', {
      fallback: '5000',
      min: 100,
      max: 60_000,
      unit: 'ms',
      doc: 'How long one name may take, both address families and repeated questions together.',
    }),
    egressDnsMaxLookups: integer('EGRESS_DNS_MAX_LOOKUPS', {
      fallback: '256',
      min: 4,
      max: 10_000,
      unit: 'names',
      doc: 'Names asked for at once, of which one tenant has a quarter at most; more wait.',
    }),
    egressDnsMaxNames: integer('EGRESS_DNS_MAX_NAMES', {
      fallback: '10000',
      min: 10,
      max: 1_000_000,
      unit: 'names',
      doc: 'Names whose addresses are remembered; beyond it the least recently used are forgotten.',
    }),
    egressDnsMinTtlMs: integer('EGRESS_DNS_MIN_TTL_MS', {
      fallback: '1000',
      min: 0,
      max: 3_600_000,
      unit: 'ms',
      doc: 'How long addresses are remembered at least, whatever their time to live says.',
    }),
    egressDnsMaxTtlMs: integer('EGRESS_DNS_MAX_TTL_MS', {
      fallback: '60000',
      min: 0,
      max: 3_600_000,
      unit: 'ms',
      doc: 'How long they are remembered at most.',
    }),
    egressDnsNegativeTtlMs: integer('EGRESS_DNS_NEGATIVE_TTL_MS', {
      fallback: '5000',
      min: 0,
      max: 3_600_000,
      unit: 'ms',
      doc: 'How long a name is not asked for again that has no address, or could not be asked for.',
    }),
  }) as const;
