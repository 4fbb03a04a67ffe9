import type { Tier } from './tiers.ts';

/** The topics and what their settings must be for the promises to hold. Applied by the set-up job, checked at start. */
export interface TopicLayout {
  /** Put before every topic and group name; lets several systems share a cluster. */
  readonly topicPrefix: string;
  readonly tiers: readonly Tier[];
  /** Partitions of `deliveries`: the number of lanes. */
  readonly lanes: number;
  readonly eventPartitions: number;
  readonly journalPartitions: number;
  /** Partitions of `inbound`; 0, or left out: there is no such topic. */
  readonly inboundPartitions?: number;
  readonly replicationFactor: number;
  readonly minInSyncReplicas: number;
}

export interface TopicNames {
  readonly events: string;
  /** Where a product's own producers put events, if they may: `events` itself is written by this system alone. */
  readonly inbound: string;
  readonly deliveries: string;
  /** The side topic of the lanes: partition i belongs to the worker of lane i. */
  readonly overflow: string;
  readonly journal: string;
  readonly deadLetters: string;
  readonly replay: string;
  tier(tier: Tier): string;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly config: Readonly<Record<string, string>>;
  /** Keys of `config` that a live topic is held to: with another value a promise would break. */
  readonly promises: readonly string[];
}

/** Retention is not among them: an operator may keep records longer. */
const PROMISED_SETTINGS = [
  'cleanup.policy',
  'min.insync.replicas',
  'unclean.leader.election.enable',
  'max.message.bytes',
  'message.timestamp.type',
] as const;

/** Slots in one deliveries record. */
export const MAX_SLOTS = 64;
/** A journal record's value. */
export const MAX_JOURNAL_BYTES = 512 * 1024;
/** The largest record of all: an event with its headers, or a journal batch. */
export const MAX_RECORD_BYTES = 1024 * 1024;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** Names with the prefix, such as `posthorn.events` and `posthorn.retry.4s`. */
export function topicNames(prefix: string): TopicNames {
  return {
    events: `${prefix}events`,
    inbound: `${prefix}inbound`,
    deliveries: `${prefix}deliveries`,
    overflow: `${prefix}overflow`,
    journal: `${prefix}journal`,
    deadLetters: `${prefix}dead-letters`,
    replay: `${prefix}replay`,
    tier: (tier) => `${prefix}retry.${tier.name}`,
  };
}

/** A tier has a quarter of the lanes' partitions, chosen by lane. */
export function tierPartitions(lanes: number): number {
  return Math.max(1, Math.ceil(lanes / 4));
}

/** Every topic with what it must be. A service's configuration is a layout. */
export function topicSpecs(layout: TopicLayout): TopicSpec[] {
  const names = topicNames(layout.topicPrefix);
  const spec = (name: string, partitions: number, retentionMs: number): TopicSpec => ({
    name,
    partitions,
    replicationFactor: layout.replicationFactor,
    config: {
      'cleanup.policy': 'delete',
      'retention.ms': String(retentionMs),
      'min.insync.replicas': String(layout.minInSyncReplicas),
      'unclean.leader.election.enable': 'false',
      'max.message.bytes': String(MAX_RECORD_BYTES),
      'message.timestamp.type': 'LogAppendTime',
    },
    promises: PROMISED_SETTINGS,
  });
  const { inboundPartitions = 0 } = layout;
  return [
    ...(inboundPartitions > 0 ? [spec(names.inbound, inboundPartitions, 7 * DAY_MS)] : []),
    spec(names.events, layout.eventPartitions, 7 * DAY_MS),
    spec(names.deliveries, layout.lanes, 7 * DAY_MS),
    spec(names.overflow, layout.lanes, 7 * DAY_MS),
    spec(names.journal, layout.journalPartitions, 7 * DAY_MS),
    spec(names.deadLetters, layout.journalPartitions, 30 * DAY_MS),
    spec(names.replay, layout.journalPartitions, 7 * DAY_MS),
    ...layout.tiers.map((tier) =>
      spec(names.tier(tier), tierPartitions(layout.lanes), tier.delayMs + 7 * DAY_MS),
    ),
  ];
}
