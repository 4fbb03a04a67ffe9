/**
 * Places at which a process can be told to die, for tests of what a crash there leaves behind. Told by
 * `POSTHORN_FAILPOINT=<name>[:<nth>]` at its start, it kills itself with SIGKILL at the nth pass (the first unless
 * given); otherwise a pass is one comparison. Modes: off, armed; armed once, at the start.
 */
export const FAILPOINTS = [
  // ingest: around the produce of an event, and around its answer
  'before-produce',
  'after-produce',
  'before-202',
  'after-202',
  // dispatcher: between what is published and the commit of what it came from
  'after-fan-out-publish',
  'after-release-publish',
  // worker: from the request to the commit, and when its lanes are taken away
  'mid-request',
  'after-2xx',
  'before-journal',
  'after-journal',
  'after-retry-publish',
  'after-dead-letter-publish',
  'at-revocation',
] as const;
export type FailpointName = (typeof FAILPOINTS)[number];

let armed: FailpointName | null = null;
let passesLeft = 0;
let die: () => void = () => process.kill(process.pid, 'SIGKILL');

/** @throws Error when the text is no failpoint. */
export function armFailpoint(text: string | undefined, dying = die): void {
  armed = null;
  die = dying;
  if (!text) return;
  const [name, nth = '1'] = text.split(':');
  if (!isFailpoint(name) || !/^[1-9]\d{0,8}$/.test(nth)) {
    throw new Error(
      `POSTHORN_FAILPOINT is "${text}": expected <name>[:<nth>] with a name of ${FAILPOINTS.join(', ')}`,
    );
  }
  armed = name;
  passesLeft = Number(nth);
}

/** A death that is to find something under way comes `afterMs` later. */
export function failpoint(name: FailpointName, afterMs = 0): void {
  if (armed !== name) return;
  passesLeft -= 1;
  if (passesLeft !== 0) return;
  if (afterMs === 0) die();
  else setTimeout(die, afterMs);
}

function isFailpoint(name: string | undefined): name is FailpointName {
  return (FAILPOINTS as readonly (string | undefined)[]).includes(name);
}
