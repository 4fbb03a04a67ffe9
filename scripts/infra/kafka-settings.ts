/** A second listener that tells clients to come back to another port: that of a proxy in front of it. */
export type ProxiedListener = { port: number; proxyPort: number };
/** One of several brokers: all of them vote, three replicas of everything, two of which must have a record. */
export type ClusterNode = {
  nodeId: number;
  clusterId: string;
  /** `1@127.0.0.1:9093,2@…`, the same for all. */
  voters: string;
  /** Where the other brokers fetch from this one: through a proxy, so that a test can cut them off. */
  internal: ProxiedListener;
};
/** Listeners for tests of TLS and SASL; nobody but those on the plain one may do anything there without a rule. */
export type SecuredListeners = {
  readonly byCertificate: { readonly port: number; readonly keystore: string };
  readonly byAccount: { readonly port: number; readonly keystore: string };
  /** PEM, as the keystores are: key and certificate. */
  readonly truststore: string;
  readonly users: readonly string[];
  readonly password: string;
};
export type KafkaPlace = {
  dataDir: string;
  port: number;
  controllerPort: number;
  /** 127.0.0.1 unless the broker has a network of its own. */
  host?: string | undefined;
  proxied?: readonly ProxiedListener[];
  node?: ClusterNode | undefined;
  secured?: SecuredListeners | undefined;
};

/** A broker that is also a controller, for one developer. Records may be 512 KB, batches 1 MB. */
export function kafkaProperties(place: KafkaPlace): string {
  const { dataDir, port, controllerPort, host = '127.0.0.1', proxied = [], node, secured } = place;
  const replicas = node ? 3 : 1;
  const listeners = [`PLAINTEXT://${host}:${port}`, `CONTROLLER://${host}:${controllerPort}`];
  const behindProxies = (portOf: (listener: ProxiedListener) => number) => [
    ...proxied.map((listener, index) => `PROXIED${index}://127.0.0.1:${portOf(listener)}`),
    ...(node ? [`INTERNAL://127.0.0.1:${portOf(node.internal)}`] : []),
  ];
  const settings: Record<string, string | number | boolean> = {
    'process.roles': 'broker,controller',
    'node.id': node?.nodeId ?? 1,
    ...(node
      ? { 'controller.quorum.voters': node.voters }
      : { 'controller.quorum.bootstrap.servers': `${host}:${controllerPort}` }),
    'controller.listener.names': 'CONTROLLER',
    listeners: [...listeners, ...behindProxies((each) => each.port), ...securedAt(secured)].join(),
    'advertised.listeners': [
      ...listeners,
      ...behindProxies((each) => each.proxyPort),
      ...securedAt(secured),
    ].join(),
    'inter.broker.listener.name': node ? 'INTERNAL' : 'PLAINTEXT',
    'listener.security.protocol.map': [
      'PLAINTEXT:PLAINTEXT',
      'CONTROLLER:PLAINTEXT',
      ...(node ? ['INTERNAL:PLAINTEXT'] : []),
      ...proxied.map((_, index) => `PROXIED${index}:PLAINTEXT`),
      ...(secured ? ['CERTIFICATES:SSL', 'ACCOUNTS:SASL_SSL'] : []),
    ].join(),
    'log.dirs': dataDir,
    'auto.create.topics.enable': false,
    'default.replication.factor': replicas,
    'min.insync.replicas': node ? 2 : 1,
    'offsets.topic.replication.factor': replicas,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    'group.initial.rebalance.delay.ms': 0,
    // As long as dead letters are kept: a group that was away must not find its offsets gone.
    'offsets.retention.minutes': 43_200,
    'message.max.bytes': 2_097_152,
    'replica.fetch.max.bytes': 2_097_152,
    'socket.request.max.bytes': 104_857_600,
    'num.network.threads': 2,
    'num.io.threads': 4,
    // One index file is preallocated per partition: at the default of 10 MB a few hundred partitions look like gigabytes.
    'log.index.size.max.bytes': 1_048_576,
    'log.segment.bytes': 67_108_864,
    'log.cleaner.dedupe.buffer.size': 2_097_152,
    'broker.heartbeat.interval.ms': 500,
    ...(secured ? securedSettings(secured) : {}),
  };
  return `${Object.entries(settings)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')}\n`;
}

const securedAt = (secured: SecuredListeners | undefined): string[] =>
  secured
    ? [
        `CERTIFICATES://127.0.0.1:${secured.byCertificate.port}`,
        `ACCOUNTS://localhost:${secured.byAccount.port}`,
      ]
    : [];

const MODULES = 'org.apache.kafka.common.security';

function securedSettings(secured: SecuredListeners): Record<string, string | number> {
  const certificates = 'listener.name.certificates';
  const accounts = 'listener.name.accounts';
  const tls = (listener: string, keystore: string) => ({
    [`${listener}.ssl.keystore.type`]: 'PEM',
    [`${listener}.ssl.keystore.location`]: keystore,
    [`${listener}.ssl.truststore.type`]: 'PEM',
    [`${listener}.ssl.truststore.location`]: secured.truststore,
  });
  const users = secured.users.map((name) => `user_${name}="${secured.password}"`).join(' ');
  const scram = `${MODULES}.scram.ScramLoginModule required;`;
  return {
    'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
    'super.users': 'User:ANONYMOUS',
    ...tls(certificates, secured.byCertificate.keystore),
    ...tls(accounts, secured.byAccount.keystore),
    [`${certificates}.ssl.client.auth`]: 'required',
    [`${certificates}.ssl.principal.mapping.rules`]: 'RULE:^CN=([^,]+).*$/$1/',
    [`${accounts}.sasl.enabled.mechanisms`]: 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    // Long-lived connections must say again who they are: kafkajs does so ten seconds before the time is up.
    [`${accounts}.connections.max.reauth.ms`]: 13_000,
    [`${accounts}.plain.sasl.jaas.config`]: `${MODULES}.plain.PlainLoginModule required ${users};`,
    [`${accounts}.scram-sha-256.sasl.jaas.config`]: scram,
    [`${accounts}.scram-sha-512.sasl.jaas.config`]: scram,
  };
}

/** Warnings to a bounded file; the one line that says the broker is up is let through. */
export function kafkaLogSettings(logFile: string): string {
  return `status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${logFile}
appender.file.filePattern = ${logFile}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %m (%c)%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 1
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
logger.started.name = kafka.server.KafkaRaftServer
logger.started.level = info
`;
}
