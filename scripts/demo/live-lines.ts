import type { LogLine } from '../start/services.ts';

export type LiveLines = { take(line: LogLine): void; stop(): void };

export type LiveLinesOptions = {
  readonly print: (line: string) => void;
  readonly colour: boolean;
  /** Names to show for webhook ids. */
  readonly names: ReadonlyMap<string, string>;
};

/** Lines of several processes come in chunks: they are held this long to be shown in the order of their times. */
const HOLD_MS = 700;
const FLUSH_EVERY_MS = 100;
/** More than anybody reads; the rest is counted. */
const MAX_LINES_PER_SECOND = 20;

const COLOURS = { grey: 90, green: 32, yellow: 33, red: 31, cyan: 36 } as const;
type Colour = keyof typeof COLOURS;
type Shown = { readonly atMs: number; readonly text: string };

/** Shows what happens to events, from the log lines of the services. */
export function startLiveLines({ print, colour, names }: LiveLinesOptions): LiveLines {
  let held: Shown[] = [];
  let budget = MAX_LINES_PER_SECOND;
  let skipped = 0;
  const paint = (name: Colour, text: string) => (colour ? `\x1b[${COLOURS[name]}m${text}\x1b[0m` : text);

  const flush = setInterval(() => {
    const until = Date.now() - HOLD_MS;
    const due = held.filter(({ atMs }) => atMs <= until).sort((a, b) => a.atMs - b.atMs);
    held = held.filter(({ atMs }) => atMs > until);
    for (const { text } of due) {
      if (budget > 0) print(text);
      else skipped += 1;
      budget -= 1;
    }
  }, FLUSH_EVERY_MS);
  const refill = setInterval(() => {
    if (skipped > 0) print(paint('grey', `… and ${skipped} more in this second`));
    budget = MAX_LINES_PER_SECOND;
    skipped = 0;
  }, 1_000);

  return {
    take(line) {
      const shown = describe(line, names);
      if (!shown || held.length > MAX_LINES_PER_SECOND * 10) return;
      const at = line.time ?? new Date().toISOString();
      const text = `${paint('grey', at.slice(11, 19))}  ${paint(shown.colour, shown.what.padEnd(13))} ${shown.text}`;
      held.push({ atMs: Date.parse(at), text });
    },
    stop() {
      clearInterval(flush);
      clearInterval(refill);
    },
  };
}

type Description = { readonly what: string; readonly colour: Colour; readonly text: string };

/** What one log line says, or undefined when it is not for the audience. */
export function describe(line: LogLine, names: ReadonlyMap<string, string>): Description | undefined {
  const to = names.get(String(line.webhook_id)) ?? String(line.webhook_id ?? '');
  const answer = line.status ? String(line.status) : String(line.error ?? line.failure ?? 'no answer');
  const event = shortId(line.event_id);
  const where = `event …${event} to ${to}`;
  switch (line.msg) {
    case 'event accepted':
      return { what: 'accepted', colour: 'cyan', text: `event …${event} ${line.event_type ?? ''}` };
    case 'delivery succeeded':
      return { what: 'delivered', colour: 'green', text: `${where}: ${answer} in ${line.duration_ms} ms` };
    case 'delivery retrying':
      return {
        what: 'retrying',
        colour: 'yellow',
        text: `${where}: ${answer}, attempt ${line.attempt}; next at ${String(line.next_due_at).slice(11, 21)}`,
      };
    case 'delivery dead-lettered':
      return {
        what: 'dead-lettered',
        colour: 'red',
        text: `${where}: ${answer} after ${line.attempts} attempts`,
      };
    default:
      return undefined;
  }
}

/** The end of a time-ordered id tells events apart; its beginning does not. */
function shortId(id: unknown): string {
  return String(id ?? '').slice(-6);
}
