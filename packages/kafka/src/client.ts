import type { ConnectionOptions } from 'node:tls';

export interface KafkaConnection {
  brokers: string[];
  clientId: string;
  ssl?: boolean | ConnectionOptions;
  sasl?: { mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string };
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

export function connectKafka(connection: KafkaConnection, log: KafkaLog): KafkaClient {
  return { connection, log };
}
