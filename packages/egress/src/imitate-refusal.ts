import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import type { DialFailure } from './dial-failure.ts';
import type { DialPhases } from './outbound.ts';
import { CONNECTION_REFUSED } from './resolve.ts';

const MAX_SAMPLES = 64;
/** A receiver that takes its time to refuse must not make others' blocked attempts hold their slots as long. */
const LONGEST_SAMPLE_MS = 1_000;
/** Before anything was refused: as long as a host takes that is not far. */
const FIRST_GUESS_MS = 1;
/** Timers are late by up to a millisecond or two: the rest of a wait passes in turns of the event loop. */
const TIMER_LATENESS_MS = 2;
/** As long as a short turn takes: what is left then is not worth one. */
const TURN_MS = 0.01;

/** By so much more or less is a wait shortened after each one that was late or early. */
const CORRECTION_MS = 0.0002;
const MOST_CORRECTED_MS = 0.05;

type FailedDial = DialFailure & { readonly phases: DialPhases; readonly imitated?: Imitated };

/** What our own steps take beside the connection, at most. */
const MOST_OF_OURS_MS = 2;

/** A connection that was refused, after its name was looked up. */
interface Sample {
  /** As reported. */
  readonly connectMs: number;
  /** With what it took to ask for it and to be told. */
  readonly wholeMs: number;
}

export interface Imitated {
  /** Not, where one of those would still have been waiting for its answer. */
  readonly isInTime: boolean;
  /** From the start, as drawn. */
  readonly endsAfterMs: number;
  readonly phases: DialPhases;
}

/**
 * Makes a blocked attempt go like a connection that is refused, without a packet: it takes as long as one of those that
 * were really refused lately, drawn at random. Else its time would tell a tenant what its words don't.
 */
export class Refusals {
  readonly #random: () => number;
  readonly #connections: Sample[] = [];
  readonly #lookupsMs: number[] = [];
  #connectionCount = 0;
  #lookupCount = 0;
  /** What our own steps after a wait take, found by trying. */
  #latenessMs = 0;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** From a request that came to no connection. @param elapsedMs of all of it. */
  learn({ failure, detail, phases, imitated }: FailedDial, elapsedMs: number): void {
    if (imitated !== undefined) this.#correct(elapsedMs - imitated.endsAfterMs);
    else if (failure === 'connect' && detail === CONNECTION_REFUSED) this.#note(phases, elapsedMs);
  }

  #note({ dnsMs, connectMs }: DialPhases, elapsedMs: number): void {
    if (connectMs === null || connectMs > LONGEST_SAMPLE_MS) return;
    const wholeMs = elapsedMs - (dnsMs ?? 0);
    // It waited for something else before.
    if (wholeMs - connectMs > MOST_OF_OURS_MS) return;
    this.#connections[this.#connectionCount++ % MAX_SAMPLES] = { connectMs, wholeMs };
    if (dnsMs === null) return;
    this.#lookupsMs[this.#lookupCount++ % MAX_SAMPLES] = Math.min(dnsMs, LONGEST_SAMPLE_MS);
  }

  /** Single ones that were held up say nothing of the rest: only on which side of its time it was counts. */
  #correct(lateMs: number): void {
    const correctedMs = this.#latenessMs + Math.sign(lateMs) * CORRECTION_MS;
    this.#latenessMs = Math.min(MOST_CORRECTED_MS, Math.max(0, correctedMs));
  }

  /**
   * How one more would go.
   * @param dnsMs what the lookup took; null for an address; undefined for a name that was not looked up.
   */
  draw(dnsMs: number | null | undefined, deadlineMs: number): Imitated {
    const lookupMs = dnsMs === undefined ? (this.#pick(this.#lookupsMs) ?? FIRST_GUESS_MS) : dnsMs;
    const { connectMs, wholeMs } = this.#pick(this.#connections) ?? FIRST_GUESS;
    const endsAfterMs = (lookupMs ?? 0) + wholeMs;
    const isInTime = endsAfterMs < deadlineMs;
    return {
      isInTime,
      endsAfterMs: Math.min(endsAfterMs, deadlineMs),
      phases: {
        dnsMs: lookupMs,
        connectMs: isInTime ? connectMs : deadlineMs - (lookupMs ?? 0),
        tlsMs: null,
      },
    };
  }

  #pick<Each>(samples: readonly Each[]): Each | undefined {
    return samples[Math.floor(this.#random() * samples.length)];
  }

  wait(untilMs: number): Promise<void> {
    return waitUntil(untilMs - this.#latenessMs);
  }
}

const FIRST_GUESS: Sample = { connectMs: FIRST_GUESS_MS, wholeMs: FIRST_GUESS_MS };

/** Exact to some microseconds: refusals in a fast network differ by no more. */
async function waitUntil(atMs: number): Promise<void> {
  const wholeMs = Math.floor(atMs - performance.now() - TIMER_LATENESS_MS);
  if (wholeMs >= 1) await delay(wholeMs);
  while (atMs - performance.now() > TURN_MS) await nextTurn();
  while (performance.now() < atMs);
}
