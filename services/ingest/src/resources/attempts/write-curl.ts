import { TextDecoder } from 'node:util';

export interface CurlRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** Members of the webhook's `tls`: files that stand where it has certificates of its own. */
  readonly tlsParts?: readonly string[];
}

/** Linux takes no argument of 128 KiB. */
const MAX_ARGUMENT_BYTES = 100 * 1_024;

/**
 * The command that makes this request again, for a POSIX shell. A body that no argument can hold (bytes that are not
 * text, or too many) is piped in.
 */
export function writeCurl({ method, url, headers, body, tlsParts = [] }: CurlRequest): string {
  const text = asArgument(body);
  const lines = [
    `curl --request ${method}${/[[\]{}]/.test(url) ? ' --globoff' : ''} ${quote(url)}`,
    ...tlsParts.flatMap((part) => TLS_OPTION[part] ?? []),
    ...Object.entries(headers).map(([name, value]) => `--header ${quote(headerLine(name, value))}`),
    text === null ? '--data-binary @-' : `--data-raw ${quote(text)}`,
  ];
  const command = lines.join(' \\\n  ');
  return text === null ? `${decodeInShell(body)} | ${command}` : command;
}

const TLS_OPTION: Readonly<Record<string, string>> = {
  ca: "--cacert '<ca.pem>'",
  client_certificate: "--cert '<client_certificate.pem>'",
  client_key: "--key '<client_key.pem>'",
};

/** curl takes `name:` for a header to leave out. */
const headerLine = (name: string, value: string): string => (value === '' ? `${name};` : `${name}: ${value}`);

function asArgument(body: Uint8Array): string | null {
  if (body.length > MAX_ARGUMENT_BYTES || body.includes(0)) return null;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    return null;
  }
}

const decodeInShell = (body: Uint8Array): string =>
  `printf %s '${Buffer.from(body).toString('base64')}' | base64 -d`;

/** Nothing is special between single quotes but the next one. */
const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
