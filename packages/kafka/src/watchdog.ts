/**
 * Tells a dead consumer from a dead cluster. kafkajs can stop heartbeating or committing without a word; while the
 * cluster answers somebody else only a new process helps. While the cluster is away, waiting does.
 */

export interface Vitals {
  /** Since the last heartbeat that was answered well, or since the first join. */
  heartbeatAgeMs: number;
  /** How long commits have been failing; 0 while they don't. */
  commitsFailingMs: number;
}

export interface WatchdogOptions {
  intervalMs: number;
  maxHeartbeatAgeMs: number;
  maxCommitsFailingMs: number;
  vitals: () => Vitals;
  clusterAnswers: () => Promise<boolean>;
  onDead: (error: Error) => void;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  #timer: NodeJS.Timeout | undefined;
  #asking = false;

  constructor(options: WatchdogOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer = setInterval(() => void this.check(), this.#options.intervalMs);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async check(): Promise<void> {
    const complaint = this.#complaint();
    if (complaint === null || this.#asking) return;
    this.#asking = true;
    const answers = await this.#options.clusterAnswers();
    this.#asking = false;
    // It may have come to itself while the cluster was asked.
    if (!answers || this.#complaint() === null) return;
    this.stop();
    this.#options.onDead(new Error(`${complaint}, while the cluster answers others`));
  }

  #complaint(): string | null {
    const { heartbeatAgeMs, commitsFailingMs } = this.#options.vitals();
    if (heartbeatAgeMs > this.#options.maxHeartbeatAgeMs) {
      return `no heartbeat for ${Math.round(heartbeatAgeMs)} ms`;
    }
    if (commitsFailingMs > this.#options.maxCommitsFailingMs) {
      return `no commit for ${Math.round(commitsFailingMs)} ms`;
    }
    return null;
  }
}
