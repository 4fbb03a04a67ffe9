import { connectKafka, type KafkaClient } from '@posthorn/kafka';

const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** A client of the tests' own. Brokers that are killed under it are no news. */
export const connect = (brokers: readonly string[]): KafkaClient =>
  connectKafka({ brokers: [...brokers], clientId: 'fault-tests' }, SILENT);
