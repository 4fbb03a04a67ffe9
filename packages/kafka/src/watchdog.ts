/**
 * Tells a dead consumer from a dead cluster. kafkajs can stop heartbeating or committing without a word; if the cluster
 * goes on answering somebody else, only a new process helps. While the cluster is away, and for a grace after it came
 * back, waiting does.
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
  /** How long the cluster must have been answering others all the while. */
  graceMs: number;
  nowMs: () => number;
  vitals: () => Vitals;
  clusterAnswers: () => Promise<boolean>;
  onDead: (error: Error) => void;
}

export class Watchdog {
  readonly #options: WatchdogOptions;
  #timer: NodeJS.Timeout | undefined;
  #asking = false;
  #answeringSinceMs: number | null = null;

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
    if (this.#asking) return;
    if (this.#complaint() === null) {
      this.#answeringSinceMs = null;
      return;
    }
    this.#asking = true;
    const answers = await this.#options.clusterAnswers();
    this.#asking = false;
    const complaint = this.#complaint();
    if (!answers || complaint === null) {
      this.#answeringSinceMs = null;
      return;
    }
    const { nowMs, graceMs, onDead } = this.#options;
    this.#answeringSinceMs ??= nowMs();
    if (nowMs() - this.#answeringSinceMs < graceMs) return;
    this.stop();
    onDead(new Error(`${complaint}, while the cluster answers others`));
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
