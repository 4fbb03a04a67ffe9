import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { ConsumerConfig, Kafka, Consumer as KafkaJsConsumer, LogEntry, RetryOptions } from 'kafkajs';
import kafkajs from 'kafkajs';
import type { InternalCluster } from './kafkajs-internals.ts';
import { type Explain, nameRefusals } from './name-refusals.ts';
import { openSocket as openDirectly, type SocketTarget } from './open-socket.ts';

export interface KafkaConnection {
  brokers: string[];
  clientId: string;
  ssl?: boolean | ConnectionOptions;
  sasl?: { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string };
  /** Opens the sockets, for those who must go through something on the way; node:net and node:tls by default. */
  openSocket?: (to: SocketTarget) => Socket;
  /** Says what of the configuration is wrong when a broker and we will not have each other. */
  explain?: Explain;
}

/** Where this package reports; a pino logger is one. */
export interface KafkaLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What producers, consumers and admins are made from. Opens no connection by itself. */
export interface KafkaClient {
  readonly connection: KafkaConnection;
  readonly log: KafkaLog;
}

const CONNECTION_TIMEOUT_MS = 10_000;
const METADATA_MAX_AGE_MS = 300_000;

/** @throws Error when no broker is named. */
export function connectKafka(connection: KafkaConnection, log: KafkaLog): KafkaClient {
  if (connection.brokers.length === 0) throw new Error('brokers must name at least one host:port');
  return { connection, log };
}

/** Tries for as long as a cluster may be away; the waits stay far below a session time-out. */
const PATIENT: RetryOptions = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 1_000_000 };
/** Each caller of these has its own deadline or its own loop. */
const NO_RETRY: RetryOptions = { initialRetryTime: 100, maxRetryTime: 500, retries: 0 };
const FEW_RETRIES: RetryOptions = { initialRetryTime: 100, maxRetryTime: 500, retries: 4 };

export function openProduceCluster(client: KafkaClient, requestTimeoutMs: number): InternalCluster {
  const kafka = openKafka(client, requestTimeoutMs, NO_RETRY) as Kafka & {
    cluster(options: object): InternalCluster;
  };
  return kafka.cluster({ metadataMaxAge: METADATA_MAX_AGE_MS, allowAutoTopicCreation: false });
}

export function openConsumer(client: KafkaClient, config: ConsumerConfig): KafkaJsConsumer {
  const kafka = openKafka(client, CONSUMER_REQUEST_TIMEOUT_MS, PATIENT);
  return kafka.consumer({
    ...config,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    allowAutoTopicCreation: false,
    retry: PATIENT,
  });
}

export function openAdmin(client: KafkaClient, onRefused?: (sentence: string) => void) {
  const kafka = openKafka(client, ADMIN_REQUEST_TIMEOUT_MS, FEW_RETRIES, onRefused);
  return kafka.admin({ retry: FEW_RETRIES });
}

/** One fetch that hangs on a cut broker must end before the session does. */
const CONSUMER_REQUEST_TIMEOUT_MS = 6_000;
const ADMIN_REQUEST_TIMEOUT_MS = 10_000;

function openKafka(
  client: KafkaClient,
  requestTimeoutMs: number,
  retry: RetryOptions,
  onRefused?: (sentence: string) => void,
): Kafka {
  const { brokers, clientId, ssl, sasl } = client.connection;
  return new kafkajs.Kafka({
    brokers,
    clientId,
    ...(ssl === undefined ? {} : { ssl }),
    ...(sasl === undefined ? {} : { sasl: sasl as never }),
    socketFactory: socketFactory(client.connection, onRefused),
    connectionTimeout: CONNECTION_TIMEOUT_MS,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    retry,
    logLevel: kafkajs.logLevel.INFO,
    logCreator: () => {
      const repeated = createRepeatFilter(() => performance.now());
      return (entry) => forwardLog(client.log, entry, repeated(entry.log.message));
    },
  });
}

function socketFactory(
  { openSocket = openDirectly, explain, sasl }: KafkaConnection,
  onRefused: (sentence: string) => void = () => {},
) {
  return (to: SocketTarget): Socket => {
    const socket = openSocket(to);
    if (explain) nameRefusals(socket, to, { explain, hasSasl: sasl !== undefined, onRefused });
    return socket;
  };
}

/**
 * kafkajs calls an error what is part of every rebalance and every broker restart, and info what happens several times
 * a second. What matters of it comes back as a rejection, and is reported by whoever receives that.
 */
export function forwardLog(
  log: KafkaLog,
  { level, namespace, log: entry }: LogEntry,
  repeated: boolean,
): void {
  const { message, timestamp: _timestamp, logger: _logger, stack: _stack, ...fields } = entry;
  const said = { kafkajs: namespace, ...fields };
  if (
    !repeated &&
    level === kafkajs.logLevel.ERROR &&
    !/rebalanc|rejoin/i.test(`${message} ${fields.error ?? ''}`)
  ) {
    log.warn(said, message);
  } else {
    log.debug(said, message);
  }
}

const REPEAT_AFTER_MS = 10_000;
const MAX_REMEMBERED_MESSAGES = 100;

/** While a broker is away kafkajs says so with every try, several times a second. */
export function createRepeatFilter(nowMs: () => number): (message: string) => boolean {
  const saidAtMs = new Map<string, number>();
  return (message) => {
    const last = saidAtMs.get(message);
    if (last !== undefined && nowMs() - last < REPEAT_AFTER_MS) return true;
    if (saidAtMs.size >= MAX_REMEMBERED_MESSAGES) saidAtMs.clear();
    saidAtMs.set(message, nowMs());
    return false;
  };
}
