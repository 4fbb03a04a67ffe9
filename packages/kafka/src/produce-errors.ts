/** What a partition's error code in a produce reply says about its records. */
export type Refusal =
  /** Send again; nothing was appended. */
  | 'retry'
  /** Send again; it may have been appended. */
  | 'retry_ambiguous'
  /** The batch is too big for the topic: send its records one by one, if they are several. */
  | 'too_large'
  /** Will not be accepted; nothing was appended. */
  | 'refused'
  /** Will not be accepted; it may have been appended. */
  | 'ambiguous';

const REFUSALS: Readonly<Record<number, { name: string; refusal: Refusal }>> = {
  2: { name: 'CORRUPT_MESSAGE', refusal: 'refused' },
  // A leader that steps down while followers still copy answers 3 or 6 after its own append.
  3: { name: 'UNKNOWN_TOPIC_OR_PARTITION', refusal: 'retry_ambiguous' },
  5: { name: 'LEADER_NOT_AVAILABLE', refusal: 'retry' },
  6: { name: 'NOT_LEADER_OR_FOLLOWER', refusal: 'retry_ambiguous' },
  7: { name: 'REQUEST_TIMED_OUT', refusal: 'retry_ambiguous' },
  10: { name: 'MESSAGE_TOO_LARGE', refusal: 'too_large' },
  13: { name: 'NETWORK_EXCEPTION', refusal: 'retry_ambiguous' },
  17: { name: 'INVALID_TOPIC_EXCEPTION', refusal: 'refused' },
  18: { name: 'RECORD_LIST_TOO_LARGE', refusal: 'too_large' },
  19: { name: 'NOT_ENOUGH_REPLICAS', refusal: 'retry' },
  20: { name: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', refusal: 'retry_ambiguous' },
  21: { name: 'INVALID_REQUIRED_ACKS', refusal: 'refused' },
  29: { name: 'TOPIC_AUTHORIZATION_FAILED', refusal: 'refused' },
  31: { name: 'CLUSTER_AUTHORIZATION_FAILED', refusal: 'refused' },
  32: { name: 'INVALID_TIMESTAMP', refusal: 'refused' },
  43: { name: 'UNSUPPORTED_FOR_MESSAGE_FORMAT', refusal: 'refused' },
  44: { name: 'POLICY_VIOLATION', refusal: 'refused' },
  56: { name: 'KAFKA_STORAGE_ERROR', refusal: 'retry_ambiguous' },
  76: { name: 'UNSUPPORTED_COMPRESSION_TYPE', refusal: 'refused' },
  87: { name: 'INVALID_RECORD', refusal: 'refused' },
};

export function classifyRefusal(errorCode: number): Refusal {
  return REFUSALS[errorCode]?.refusal ?? 'ambiguous';
}

export function nameOfErrorCode(errorCode: number): string {
  return REFUSALS[errorCode]?.name ?? `error code ${errorCode}`;
}
