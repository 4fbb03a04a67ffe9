import { connectKafka, createAdmin, createProducer, grantAccess } from '@posthorn/kafka';
import { createLogger, type Environment, kafkaConnection } from '@posthorn/runtime';
import { kafkaBrokers, securedInfra, topicPrefix } from '@posthorn/testkit';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readServiceConfig } from '../src/config.ts';

const secured = securedInfra();
const log = createLogger('test', 'silent');

/** One topic to write to, by somebody who may do that and no more. */
async function produceAs(principal: string, environment: Environment): Promise<number> {
  const topic = `${topicPrefix()}${environment.KAFKA_SASL_MECHANISM ?? 'certificate'}`;
  const plain = connectKafka({ brokers: [...kafkaBrokers()], clientId: 'test' }, log);
  const admin = createAdmin(plain);
  onTestFinished(() => admin.close());
  await admin.ensureTopics([{ name: topic, partitions: 1, replicationFactor: 1, config: {} }]);
  const rule = { principals: [principal], topics: [topic], groups: [], prefixed: false };
  await grantAccess(plain, [{ ...rule, operations: ['Write', 'Describe'] }]);
  const client = connectKafka(kafkaConnection(readServiceConfig(environment), 'test'), log);
  const producer = createProducer(client, { deliveryTimeoutMs: 30_000 });
  onTestFinished(() => producer.stop());
  await producer.start();
  await producer.send({ topic, partition: 0, key: null, value: Buffer.from('a'), headers: {} });
  const [end] = await admin.endOffsets(topic);
  return end!.high;
}

describe.skipIf(secured === undefined)('a broker with TLS takes', () => {
  const tls = () => ({ KAFKA_TLS: 'on', KAFKA_CA_FILE: secured!.caFile });

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'])(
    'a name and a password of any characters by %s',
    async (mechanism) => {
      const written = await produceAs(secured!.accounts.recorder, {
        ...tls(),
        KAFKA_BROKERS: secured!.kafkaByAccount,
        KAFKA_SASL_MECHANISM: mechanism,
        KAFKA_SASL_USERNAME: secured!.accounts.recorder,
        KAFKA_SASL_PASSWORD: secured!.password,
      });
      expect(written).toBe(1);
    },
  );

  test('a client by its certificate, reached by its address', async () => {
    const written = await produceAs(secured!.certificateName, {
      ...tls(),
      KAFKA_BROKERS: secured!.kafkaByCertificate,
      KAFKA_CERT_FILE: secured!.certFile,
      KAFKA_KEY_FILE: secured!.keyFile,
    });
    expect(written).toBe(1);
  });
});
