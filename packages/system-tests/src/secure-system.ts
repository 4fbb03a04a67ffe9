import { grantKafkaRules } from '@posthorn/scripts/kafka-rules';
import { kafkaBrokers, overTlsOnly, type SecuredInfra, securedInfra } from '@posthorn/testkit';

/** What a service, or the set-up job, is given besides. */
export type Securing = (name: keyof SecuredInfra['accounts']) => Readonly<Record<string, string>>;

/** Rules first: without one a name of its own may do nothing on a topic or a group. */
export async function secureSystem(
  isWanted: boolean,
  topicPrefix: string,
  databaseUrl: string,
): Promise<Securing> {
  const infra = isWanted ? securedInfra() : undefined;
  if (infra === undefined) return () => ({});
  await grantKafkaRules(kafkaBrokers(), topicPrefix);
  const url = await overTlsOnly(databaseUrl, infra);
  return (name) => ({
    KAFKA_BROKERS: infra.kafkaByAccount,
    KAFKA_TLS: 'on',
    KAFKA_CA_FILE: infra.caFile,
    KAFKA_SASL_MECHANISM: 'scram-sha-512',
    KAFKA_SASL_USERNAME: infra.accounts[name],
    KAFKA_SASL_PASSWORD: infra.password,
    DATABASE_URL: url,
    DATABASE_TLS: 'verify-full',
    DATABASE_CA_FILE: infra.caFile,
  });
}
