import type { AddressPolicy, TargetFault } from './address-policy.ts';
import type { Target } from './outbound.ts';
import { parseAddress } from './parse-address.ts';
import { isHostName } from './reserved-hosts.ts';

export type UrlFault = TargetFault | 'url_too_long' | 'url_malformed' | 'url_credentials' | 'url_fragment';

export type UrlCheck =
  | { readonly ok: true; readonly url: Target }
  | { readonly ok: false; readonly code: UrlFault; readonly detail: string };

export const MAX_URL_CHARACTERS = 2_048;

/**
 * What people see would not be what is called: WHATWG drops tabs, newlines and letters without a width, reads "\" as
 * "/", and drops slashes beyond the second, so that a host is where a path seems to be.
 */
const MISLEADING = /[\p{C}\p{Z}\\]|^https?:\/\/\//iu;
const HTTP_SCHEME = /^https?:\/\//i;
/** Also one that is empty: who writes `https://@example.com/` means to hide something. */
const USER_INFO = /^[^/]*\/\/[^/?#]*@/;
const ANY_SCHEME = /^[a-z][a-z0-9+.-]*:/i;
const DEFAULT_PORT = { 'http:': 80, 'https:': 443 } as const;

/**
 * Judges a URL when an endpoint is created or changed, without asking DNS (a name may not exist yet; its addresses are
 * judged whenever they are dialled). A fragment is refused: it is never sent, so whoever wrote it expects what won't
 * happen. The detail may be shown to the tenant.
 */
export function checkUrl(text: string, policy: AddressPolicy): UrlCheck {
  if (text.length > MAX_URL_CHARACTERS) return tooLong();
  if (MISLEADING.test(text))
    return refuse(
      'url_malformed',
      'the URL has spaces, invisible characters, backslashes or too many slashes',
    );
  if (!HTTP_SCHEME.test(text)) {
    return ANY_SCHEME.test(text)
      ? refuse('url_scheme', 'the URL must start with http:// or https://')
      : refuse('url_malformed', 'the URL must be absolute, such as https://example.com/hook');
  }
  const url = URL.parse(text);
  if (url === null) return refuse('url_malformed', 'the URL cannot be parsed');
  if (url.href.length > MAX_URL_CHARACTERS) return tooLong();
  if (USER_INFO.test(text)) {
    return refuse('url_credentials', 'the URL must not contain a user name or password');
  }
  if (text.includes('#')) return refuse('url_fragment', 'the URL must not have a fragment (#…)');
  const target = toTarget(url);
  if (target === null) return refuse('url_malformed', 'the host is not a valid name');
  const verdict = policy.judgeTarget(target);
  return verdict.allowed ? { ok: true, url: target } : refuse(verdict.code, verdict.detail);
}

/** Parses a URL that `checkUrl` accepted when it was stored; null if it is no http(s) URL. The policy is not asked. */
export function parseTarget(text: string): Target | null {
  const url = URL.parse(text);
  return url === null ? null : toTarget(url);
}

function toTarget({ protocol, hostname, port, pathname, search }: URL): Target | null {
  if (protocol !== 'http:' && protocol !== 'https:') return null;
  // WHATWG has normalised literals by now: 127.1, 0x7f000001 and ①②⑦.⓪.⓪.① all read 127.0.0.1.
  const bare = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname.replace(/\.$/, '');
  if (parseAddress(bare) === null && !isHostName(bare)) return null;
  const authority = hostname.startsWith('[') ? hostname : bare;
  return {
    protocol,
    hostname: bare,
    port: port === '' ? DEFAULT_PORT[protocol] : Number(port),
    origin: `${protocol}//${authority}${port === '' ? '' : `:${port}`}`,
    path: pathname + search,
  };
}

function tooLong(): UrlCheck {
  return refuse('url_too_long', `the URL has more than ${MAX_URL_CHARACTERS} characters`);
}

function refuse(code: UrlFault, detail: string): UrlCheck {
  return { ok: false, code, detail };
}
