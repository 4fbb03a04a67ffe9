import { parseArgs } from 'node:util';
import { EXPORT_FORMATS, type ExportFormat } from '@posthorn/audit';
import type { AuditHead, KeyScope } from '@posthorn/db';

export const USAGE = `What is done at the installation itself, with its database and without a key.

Usage: posthorn <command> [options]

  keys create-operator   make an operator key and print it, once: the key on standard output, the rest on standard error
    --name TEXT            what it is called
    --scopes LIST          of ingest, read, manage, admin (default: admin, which has all)
    --expires-at TIME      RFC 3339; without one it does not end by itself

  audit head             print the end of the audit log's chain, to be kept elsewhere
  audit verify           compute the chain again; ends with 1 when anything was edited, removed, moved, put in or cut
    --pin SEQ:HASH         a head that was printed before; may be given several times
  audit export           print entries, the oldest first
    --format FORMAT        ndjson (default) or csv
    --tenant ID            of one tenant
    --action ACTION        endpoint.updated, or all of a noun: 'endpoint.*'
    --since, --until TIME  RFC 3339

  secrets status         print how many values are sealed with which key; ends with 1 when the key of some is missing
  secrets reencrypt      seal with the first key of the ring what is sealed with another, or in the form of before
    --dry-run              open all of it and change nothing

  --help                 print this

Postgres comes from DATABASE_URL, the key ring from SECRETS_KEYS (docs/configuration.md).`;

export type Command =
  | { readonly name: 'help' }
  | {
      readonly name: 'keys create-operator';
      readonly keyName: string;
      readonly scopes: readonly KeyScope[];
      readonly expiresAt: Date | null;
    }
  | { readonly name: 'audit head' }
  | { readonly name: 'audit verify'; readonly pins: readonly AuditHead[] }
  | {
      readonly name: 'audit export';
      readonly format: ExportFormat;
      readonly tenantId: string | null;
      readonly action: string | undefined;
      readonly since: string | undefined;
      readonly until: string | undefined;
    }
  | { readonly name: 'secrets status' }
  | { readonly name: 'secrets reencrypt'; readonly dryRun: boolean };

const SCOPES = ['ingest', 'read', 'manage', 'admin'] as const satisfies readonly KeyScope[];
const MAX_NAME_CHARS = 100;

/** What each command takes; an option that is not its own is a fault. */
const OPTIONS = {
  'keys create-operator': ['name', 'scopes', 'expires-at'],
  'audit head': [],
  'audit verify': ['pin'],
  'audit export': ['format', 'tenant', 'action', 'since', 'until'],
  'secrets status': [],
  'secrets reencrypt': ['dry-run'],
} as const satisfies Record<Exclude<Command['name'], 'help'>, readonly string[]>;

/** @throws Error that says what is wrong with the arguments. */
export function readCommand(args: readonly string[]): Command {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h' },
      name: { type: 'string' },
      scopes: { type: 'string' },
      'expires-at': { type: 'string' },
      pin: { type: 'string', multiple: true },
      format: { type: 'string' },
      tenant: { type: 'string' },
      action: { type: 'string' },
      since: { type: 'string' },
      until: { type: 'string' },
      'dry-run': { type: 'boolean' },
    },
    allowPositionals: true,
  });
  if (values.help || positionals.length === 0) return { name: 'help' };
  const name = positionals.join(' ');
  if (!isCommand(name)) throw new Error(`"${name}" is no command`);
  const stranger = Object.keys(values).find(
    (option) => !(OPTIONS[name] as readonly string[]).includes(option),
  );
  if (stranger !== undefined) throw new Error(`${name} takes no --${stranger}`);
  switch (name) {
    case 'keys create-operator':
      return {
        name,
        keyName: readName(values.name ?? ''),
        scopes: readScopes(values.scopes ?? 'admin'),
        expiresAt:
          values['expires-at'] === undefined ? null : new Date(readTime('expires-at', values['expires-at'])),
      };
    case 'audit head':
      return { name };
    case 'audit verify':
      return { name, pins: (values.pin ?? []).map(readPin) };
    case 'audit export':
      return {
        name,
        format: readFormat(values.format ?? 'ndjson'),
        tenantId: values.tenant ?? null,
        action: values.action,
        since: values.since === undefined ? undefined : readTime('since', values.since),
        until: values.until === undefined ? undefined : readTime('until', values.until),
      };
    case 'secrets status':
      return { name };
    case 'secrets reencrypt':
      return { name, dryRun: values['dry-run'] ?? false };
    default:
      return name satisfies never;
  }
}

const isCommand = (name: string): name is keyof typeof OPTIONS => Object.hasOwn(OPTIONS, name);

function readName(text: string): string {
  if (text.length > MAX_NAME_CHARS || /\p{Cc}/u.test(text))
    throw new Error(`--name takes at most ${MAX_NAME_CHARS} characters of plain text`);
  return text;
}

function readScopes(text: string): KeyScope[] {
  const given = [...new Set(text.split(',').map((scope) => scope.trim()))];
  const scopes = SCOPES.filter((scope) => given.includes(scope));
  if (scopes.length < given.length) throw new Error(`--scopes takes ${SCOPES.join(', ')}, not "${text}"`);
  return scopes;
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

function readTime(option: string, text: string): string {
  const time = TIME.test(text) ? new Date(text) : null;
  if (time === null || Number.isNaN(time.getTime()))
    throw new Error(`--${option} takes a time such as 2027-01-31T00:00:00Z, not "${text}"`);
  return time.toISOString();
}

function readPin(text: string): AuditHead {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined)
    throw new Error(`--pin takes what "audit head" prints, <seq>:<hash>, not "${text}"`);
  return { seq: Number(seq), hash };
}

function readFormat(text: string): ExportFormat {
  const format = EXPORT_FORMATS.find((each) => each === text);
  if (format === undefined) throw new Error(`--format takes ${EXPORT_FORMATS.join(' or ')}, not "${text}"`);
  return format;
}
