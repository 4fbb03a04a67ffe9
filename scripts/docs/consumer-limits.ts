import { fixed, type Part } from './engine-part.ts';

const CONSUMER = 'packages/kafka/src/group-consumer.ts';
const SERVICE = 'services/worker/src/service.ts';

export const CONSUMER_PARTS: readonly Part[] = [
  {
    part: 'Offsets, fence and rebalancing',
    keys: [],
    fixed: [
      fixed(
        'map of finished records',
        'characters',
        'packages/kafka/src/window-encoding.ts',
        'MAX_MAP_CHARS',
        'Size of what a commit says of one lane; near it the lane is paused.',
      ),
      fixed(
        'session',
        'ms',
        CONSUMER,
        'sessionTimeoutMs',
        'Without a heartbeat for so long a member is out.',
      ),
      fixed(
        'commits, at most every',
        'ms',
        CONSUMER,
        'commitIntervalMs.min',
        'The next goes when the last is acknowledged, and not before.',
      ),
      fixed(
        'commits, at least every',
        'ms',
        CONSUMER,
        'commitIntervalMs.max',
        'While there is something to say.',
      ),
      fixed('heartbeats', 'ms', CONSUMER, 'heartbeatIntervalMs', 'From one to the next.'),
      fixed(
        'fence margin',
        'ms',
        'packages/kafka/src/fence.ts',
        'FENCE_MARGIN_MS',
        'Nothing starts unless a heartbeat sent within the session less this has succeeded.',
      ),
      fixed(
        'held margin',
        'ms',
        'packages/kafka/src/held-slots.ts',
        'HELD_MARGIN_MS',
        'What a new owner waits beyond the time that the last one may still take.',
      ),
      fixed(
        'longest hold',
        'ms',
        'packages/kafka/src/held-slots.ts',
        'MAX_HELD_MS',
        'No slot is held for longer, whatever a map says.',
      ),
      fixed(
        'drain of a stop',
        'ms',
        SERVICE,
        'STOP_DRAIN_MS',
        'What is in flight gets so long to end and be settled, the longest deadline included.',
      ),
      fixed(
        'drain of a rebalance',
        'ms',
        SERVICE,
        'REJOIN_DRAIN_MS',
        'What is in flight gets so long before the lanes move.',
      ),
      fixed(
        'produce',
        'ms',
        SERVICE,
        'PRODUCE_TIMEOUT_MS',
        'How long a record may take to be acknowledged before it is asked again, below the fence.',
      ),
    ],
  },
  {
    part: 'Recording',
    keys: [
      'recorder: RECORDER_BATCH_ROWS',
      'recorder: RECORDER_LINGER_MS',
      'recorder: RECORDER_MAX_BUFFERED_RECORDS',
      'recorder: RECORDER_MAX_BUFFERED_BYTES',
    ],
    fixed: [],
  },
];
