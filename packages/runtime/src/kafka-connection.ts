import { type ClientTls, PEM_FILE, readClientTls, refuseFiles } from './client-tls.ts';
import { ConfigError, choice, flag, list, secret, text } from './config.ts';
import { type ExplainRefusal, explainTls } from './explain-refusal.ts';

/** How Kafka is reached and how it knows us: the same for every service, each with a name of its own. */
export const kafkaAccessConfig = {
  kafkaBrokers: list('KAFKA_BROKERS', {
    fallback: '127.0.0.1:9092',
    expected: 'host:port, comma-separated',
    doc: 'Kafka bootstrap addresses.',
  }),
  kafkaTls: choice('KAFKA_TLS', ['off', 'on'], {
    fallback: 'off',
    doc: 'Whether Kafka is spoken to over TLS. The broker must then show a certificate for the name it is reached by.',
  }),
  kafkaCaFile: text('KAFKA_CA_FILE', {
    fallback: '',
    expected: PEM_FILE,
    doc: "Authorities that may have signed the brokers' certificates; without it those that Node trusts.",
  }),
  kafkaCertFile: text('KAFKA_CERT_FILE', {
    fallback: '',
    expected: PEM_FILE,
    doc: 'Client certificate with its chain, where the brokers want one.',
  }),
  kafkaKeyFile: text('KAFKA_KEY_FILE', {
    fallback: '',
    expected: PEM_FILE,
    doc: 'Private key of the client certificate, without a passphrase.',
  }),
  kafkaSaslMechanism: choice('KAFKA_SASL_MECHANISM', ['none', 'plain', 'scram-sha-256', 'scram-sha-512'], {
    fallback: 'none',
    doc: 'How a service says who it is. `plain` sends the password as it is, so it wants `KAFKA_TLS=on`.',
  }),
  kafkaSaslUsername: text('KAFKA_SASL_USERNAME', { fallback: '', doc: "The service's name at Kafka." }),
  kafkaSaslPassword: secret('KAFKA_SASL_PASSWORD', {
    fallback: '',
    doc: 'The password that goes with it.',
  }),
  kafkaPlainWithoutTls: flag('KAFKA_PLAIN_WITHOUT_TLS', {
    fallback: 'false',
    doc: 'Allows `plain` without TLS: the password crosses the network readable. For a broker on the same machine.',
  }),
} as const;

type Mechanism = 'plain' | 'scram-sha-256' | 'scram-sha-512';

export interface KafkaAccess {
  readonly kafkaBrokers: readonly string[];
  readonly kafkaTls: 'off' | 'on';
  readonly kafkaCaFile: string;
  readonly kafkaCertFile: string;
  readonly kafkaKeyFile: string;
  readonly kafkaSaslMechanism: 'none' | Mechanism;
  readonly kafkaSaslUsername: string;
  readonly kafkaSaslPassword: string;
  readonly kafkaPlainWithoutTls: boolean;
}

/** What `connectKafka` of packages/kafka takes. */
export interface KafkaConnectionOptions {
  readonly brokers: string[];
  readonly clientId: string;
  readonly ssl?: ClientTls & { readonly minVersion: 'TLSv1.2'; readonly rejectUnauthorized: true };
  readonly sasl?: { readonly mechanism: Mechanism; readonly username: string; readonly password: string };
  readonly explain: ExplainRefusal;
}

/** @throws ConfigError for files that cannot be used and for keys that contradict each other. */
export function kafkaConnection(
  config: KafkaAccess,
  clientId: string,
  now = new Date(),
): KafkaConnectionOptions {
  const faults: string[] = [];
  const tls = readTls(config, now, faults);
  const sasl = readSasl(config, faults);
  if (faults.length > 0) throw new ConfigError(faults);
  return {
    brokers: [...config.kafkaBrokers],
    clientId,
    // Said outright, so that no variable of Node's turns it off.
    ...(tls ? { ssl: { ...tls, minVersion: 'TLSv1.2', rejectUnauthorized: true } } : {}),
    ...(sasl ? { sasl } : {}),
    explain: explainKafka(config),
  };
}

function readTls(config: KafkaAccess, now: Date, faults: string[]): ClientTls | undefined {
  const files = {
    ca: { env: 'KAFKA_CA_FILE', path: config.kafkaCaFile },
    cert: { env: 'KAFKA_CERT_FILE', path: config.kafkaCertFile },
    key: { env: 'KAFKA_KEY_FILE', path: config.kafkaKeyFile },
  };
  if (config.kafkaTls === 'on') return readClientTls(files, now, faults);
  refuseFiles(files, 'KAFKA_TLS=off: set KAFKA_TLS=on', faults);
  return undefined;
}

function readSasl(config: KafkaAccess, faults: string[]): KafkaConnectionOptions['sasl'] {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: username, kafkaSaslPassword: password } = config;
  if (mechanism === 'none') {
    if (username !== '' || password !== '')
      faults.push('KAFKA_SASL_USERNAME or KAFKA_SASL_PASSWORD is set, but KAFKA_SASL_MECHANISM=none');
    return undefined;
  }
  if (username === '') faults.push(`KAFKA_SASL_USERNAME is missing: ${mechanism} needs it`);
  if (password === '') faults.push(`KAFKA_SASL_PASSWORD is missing: ${mechanism} needs it`);
  if (mechanism === 'plain' && config.kafkaTls === 'off' && !config.kafkaPlainWithoutTls)
    faults.push(
      'KAFKA_SASL_MECHANISM=plain without TLS shows the password to everybody on the way: set KAFKA_TLS=on, or use scram-sha-512',
    );
  return { mechanism, username, password };
}

function explainKafka({ kafkaTls, kafkaCaFile, kafkaSaslMechanism }: KafkaAccess): ExplainRefusal {
  const explain = explainTls({ name: 'Kafka', prefix: 'KAFKA', hasCaFile: kafkaCaFile !== '' });
  return (error, at) => {
    switch (error.code) {
      case 'CLOSED_WITHOUT_ANSWER':
        return `Kafka at ${at} closed the connection without an answer: where the port speaks TLS, set KAFKA_TLS=on (it is ${kafkaTls})`;
      case 'CLOSED_AT_FIRST_REQUEST':
        return `Kafka at ${at} closed the connection at the first request: it may want SASL (KAFKA_SASL_MECHANISM is ${kafkaSaslMechanism})`;
      case 'SASL_AUTHENTICATION_FAILED':
        return `Kafka at ${at} does not take KAFKA_SASL_USERNAME with KAFKA_SASL_PASSWORD by ${kafkaSaslMechanism} (${error.message})`;
      case 'SASL_NOT_TAKEN':
        return `Kafka at ${at} takes no KAFKA_SASL_MECHANISM=${kafkaSaslMechanism} on this port (${error.message})`;
      default:
        return explain(error, at);
    }
  };
}
