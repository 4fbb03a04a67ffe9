/** How the receiver answers at a path. Sent to its process as it is. */
export interface Behaviour {
  /** From the last byte of the request to the first of the answer; up to twice as long for some, by their delivery. */
  readonly delayMs?: number;
  /** This share of deliveries fails on its first attempt. */
  readonly failFirstPercent?: number;
  /** This many first attempts of every delivery fail. */
  readonly failAttempts?: number;
  /** Answered to what does not fail; 200 unless given. */
  readonly status?: number;
  /** Takes the request and never answers. */
  readonly hangs?: boolean;
}

export type ReceiverMessage = { readonly path: string; readonly behaviour: Behaviour };
