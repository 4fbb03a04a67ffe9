import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** Fields that must never reach a log line, at the top of it or one level down. */
const SECRET_FIELDS: ReadonlySet<string> = new Set([
  'secret',
  'api_key',
  'authorization',
  'cookie',
  'password',
  'token',
  'access_token',
  'client_secret',
  'client_key',
]);
const HIDDEN = '[redacted]';

/**
 * Pino's own redaction does this with wildcard paths at three times the cost of the whole line (5.5 µs against 1.8 µs a
 * line); most lines are flat, and pass through as they are.
 */
function hideSecrets(fields: Record<string, unknown>): Record<string, unknown> {
  let shown = fields;
  for (const name in fields) {
    const value = fields[name];
    const hidden = SECRET_FIELDS.has(name) ? HIDDEN : isPlain(value) ? hideIn(value) : value;
    if (hidden === value) continue;
    if (shown === fields) shown = { ...fields };
    shown[name] = hidden;
  }
  return shown;
}

function hideIn(fields: Record<string, unknown>): Record<string, unknown> {
  const found = Object.keys(fields).filter((name) => SECRET_FIELDS.has(name));
  return found.length === 0
    ? fields
    : { ...fields, ...Object.fromEntries(found.map((name) => [name, HIDDEN])) };
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

const CHUNK_BYTES = 4 * 1024;
const FLUSH_INTERVAL_MS = 200;
/** Lines that wait for a reader that has stalled; beyond it lines are dropped, never the process. */
const MAX_UNWRITTEN_BYTES = 8 * 1024 * 1024;

/**
 * One JSON line per entry: `time` in RFC 3339, `level` by name, `service`. Lines go to stdout in chunks, 200 ms after
 * they were logged at the latest.
 */
export function createLogger(service: string, level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }), log: hideSecrets },
  };
  if (destination) return pino(options, destination);
  const stdout = pino.destination({
    fd: 1,
    sync: false,
    minLength: CHUNK_BYTES,
    maxLength: MAX_UNWRITTEN_BYTES,
  });
  const timer = setInterval(() => stdout.flush(), FLUSH_INTERVAL_MS);
  timer.unref();
  process.on('exit', () => {
    try {
      stdout.flushSync();
    } catch {
      // nothing was opened yet, or the reader is gone: there is nowhere left to say so
    }
  });
  return pino(options, stdout);
}
