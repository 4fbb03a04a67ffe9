import { type DestinationStream, type Logger, pino } from 'pino';

export type { Logger } from 'pino';

/** Headers and fields that must never reach a log line, whatever object they come in. */
const REDACTED = [
  'secret',
  'api_key',
  'authorization',
  '*.secret',
  '*.api_key',
  '*.authorization',
  'headers.authorization',
];

/** One JSON line per entry: `time` in RFC 3339, `level` by name, `service`. Lines are written in chunks, see `flushLogs`. */
export function createLogger(service: string, level: string, destination?: DestinationStream): Logger {
  const options = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: REDACTED, censor: '[redacted]' },
  };
  if (destination) return pino(options, destination);
  const stdout = pino.destination({ fd: 1, minLength: 4096, sync: false, maxLength: 8 * 1024 * 1024 });
  const timer = setInterval(() => stdout.flush(), 200);
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
