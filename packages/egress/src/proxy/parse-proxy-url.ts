/** The operator's way out, through which all requests go. */
export interface EgressProxy {
  /** HTTP CONNECT, the same over TLS, or SOCKS5 (RFC 1928). */
  readonly kind: 'http' | 'https' | 'socks5';
  readonly host: string;
  readonly port: number;
  readonly credentials: ProxyCredentials | null;
  /**
   * Whether it is given names and resolves them itself. Then which address is called is its word alone: of the policy
   * only what it says of names, ports and literal addresses holds.
   */
  readonly resolvesNames: boolean;
}

export interface ProxyCredentials {
  readonly username: string;
  readonly password: string;
}

const DEFAULT_PORT = { http: 80, https: 443, socks5: 1_080 } as const;
/** RFC 1929: one byte has the length of each. */
const MAX_SOCKS_CREDENTIAL_BYTES = 255;

/** @throws {Error} saying what is wrong, without the credentials. */
export function parseProxyUrl(
  text: string,
  { resolvesNames }: { readonly resolvesNames: boolean },
): EgressProxy {
  if (!URL.canParse(text)) throw new Error('is not a URL');
  const url = new URL(text);
  const kind = url.protocol.slice(0, -1);
  if (kind !== 'http' && kind !== 'https' && kind !== 'socks5') {
    throw new Error('must start with http://, https:// or socks5://');
  }
  if (url.hostname === '') throw new Error('has no host');
  if (!['', '/'].includes(url.pathname) || url.search !== '' || url.hash !== '') {
    throw new Error('has more than a host, a port and credentials');
  }
  return {
    kind,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? DEFAULT_PORT[kind] : Number(url.port),
    credentials: credentialsOf(url, kind),
    resolvesNames,
  };
}

function credentialsOf(url: URL, kind: EgressProxy['kind']): ProxyCredentials | null {
  if (url.username === '' && url.password === '') return null;
  const username = decode(url.username);
  const password = decode(url.password);
  if (kind !== 'socks5') {
    if (username.includes(':')) throw new Error('has a colon in its user name');
  } else if (![username, password].every(fitsSocks)) {
    throw new Error('has a user name or password that is empty or longer than 255 bytes');
  }
  return { username, password };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Error('has credentials with a malformed percent sign');
  }
}

function fitsSocks(text: string): boolean {
  const bytes = Buffer.byteLength(text);
  return bytes > 0 && bytes <= MAX_SOCKS_CREDENTIAL_BYTES;
}
