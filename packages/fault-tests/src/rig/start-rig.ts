import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { runSetup } from '@posthorn/scripts/setup';
import { type Api, createApi, inheritedEnvironment, type ServiceName } from '@posthorn/system-tests';
import { freePort } from '@posthorn/testkit';
import { nowMs } from '../now.ts';
import type { Fault, Kind, Target } from '../oracle/ledgers.ts';
import { type Links, openLinks } from './open-links.ts';
import { createEventSender, type EventSender, type Sender } from './send-load.ts';
import { createFleet, type Fleet } from './start-fleet.ts';
import { type Infra, ROOT } from './start-infra.ts';
import { type ReceiverHandle, startReceiver } from './start-receiver.ts';
import { type Backlog, watchBacklog } from './watch-backlog.ts';

/** How many processes of each service; one unless given. */
export type Sizes = Partial<Record<ServiceName, number>>;

export interface RigOptions {
  readonly sizes?: Sizes;
  /** Every service reaches Kafka and Postgres through proxies of its own. */
  readonly proxied?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  readonly perService?: Partial<Record<ServiceName, Readonly<Record<string, string>>>>;
  /** The checkout that all is started from; this one unless given. */
  readonly root?: string;
}

/** All that a rig needs of the Kafka and Postgres it runs on. */
export type Ground = Pick<Infra, 'addresses' | 'listeners' | 'dir' | 'onSpawn' | 'createDatabase'>;

/** The whole system with its ledgers, on topics and a database of its own. */
export interface Rig<G extends Ground = Infra> {
  readonly infra: G;
  readonly api: Api;
  /** The same, of each process of ingest. */
  readonly apis: readonly Api[];
  readonly fleet: Fleet;
  readonly receiver: ReceiverHandle;
  readonly events: EventSender;
  readonly backlog: Backlog;
  /** There when the rig is proxied. */
  readonly links: Links;
  readonly databaseUrl: string;
  readonly topicPrefix: string;
  readonly targets: Target[];
  /** Endpoints that are in nobody's ledger: their deliveries are not judged. */
  readonly bystanders: Set<string>;
  readonly senders: Sender[];
  readonly faults: Fault[];
  /** Members that have ended by themselves, with what they said last. */
  readonly ended: string[];
  /** Runs the set-up job of a checkout. */
  setUp(root: string): Promise<void>;
  /** Notes a harm that begins now; `heal` notes its end. */
  harm(kind: Kind, target: string, what: string, graceful?: boolean): Fault;
  heal(fault: Fault): void;
  close(): Promise<void>;
}

export const TIERS = ['250ms', '1s', '4s'] as const;
export const SERVICES: readonly ServiceName[] = ['ingest', 'dispatcher', 'worker', 'recorder'];

export async function startRig<G extends Ground>(infra: G, options: RigOptions = {}): Promise<Rig<G>> {
  const name = randomBytes(3).toString('hex');
  const logDir = join(infra.dir, 'logs', name);
  await mkdir(logDir, { recursive: true });
  const databaseUrl = await infra.createDatabase();
  const topicPrefix = `faults-${name}.`;
  const operatorKey = `phk_op_${randomBytes(24).toString('hex')}`;
  const shared = { ...sharedEnvironment(infra, databaseUrl, topicPrefix), ...options.environment };
  const { root = ROOT } = options;
  const setUp = (from: string) => runSetup(from, { ...inheritedEnvironment(), ...shared });
  await setUp(root);
  const sizes = SERVICES.map((service) => ({ service, size: options.sizes?.[service] ?? 1 }));
  const ports = await Promise.all(Array.from({ length: options.sizes?.ingest ?? 1 }, () => freePort()));
  const links = await openLinks(infra, databaseUrl, options.proxied ?? false);
  const faults: Fault[] = [];
  const ended: string[] = [];
  const harm: Rig['harm'] = (kind, target, what, graceful = false) => {
    const untilMs = Number.POSITIVE_INFINITY;
    const fault: Fault = { kind, target, what, graceful, fromMs: nowMs(), untilMs };
    faults.push(fault);
    return fault;
  };
  const heal = (fault: Fault) => {
    fault.untilMs = nowMs();
  };
  const fleet = createFleet({
    logDir,
    root,
    onSpawn: infra.onSpawn,
    environmentOf: (service, index) => ({
      ...shared,
      DATABASE_ROLE: `posthorn_${service}`,
      ...links.environmentOf(`${service}-${index}`),
      ...(service === 'ingest' ? { PORT: String(ports[index - 1] ?? 0), OPERATOR_KEY: operatorKey } : {}),
      ...options.perService?.[service],
    }),
    onUnexpectedEnd(member, exitCode, lines) {
      ended.push(`${member.name} ended with ${exitCode}: ${lines.at(-1)?.raw.slice(0, 300) ?? ''}`);
      const fault = harm(member.service, member.name, 'ended by itself');
      member.start().then(
        () => heal(fault),
        (error) => ended.push(`${member.name} did not start again: ${error}`),
      );
    },
  });
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const apis = urls.map((url) => createApi(url, operatorKey));
  const events = createEventSender(() => urls);
  const receiver = await startReceiver(join(infra.dir, `arrivals-${name}.tsv`));
  const backlog = watchBacklog(infra.addresses, topicPrefix, TIERS);
  await Promise.all(sizes.map(({ service, size }) => addMembers(fleet, service, size)));
  return {
    infra,
    api: apis[0]!,
    apis,
    fleet,
    receiver,
    events,
    backlog,
    links,
    databaseUrl,
    topicPrefix,
    targets: [],
    bystanders: new Set(),
    senders: [],
    faults,
    ended,
    setUp,
    harm,
    heal,
    async close() {
      await fleet.stop();
      await Promise.all([receiver.close(), events.close(), backlog.close(), links.close()]);
    },
  };
}

function sharedEnvironment(infra: Ground, databaseUrl: string, topicPrefix: string): Record<string, string> {
  const replicas = infra.addresses.length;
  return {
    KAFKA_BROKERS: infra.addresses.join(),
    KAFKA_TOPIC_PREFIX: topicPrefix,
    KAFKA_REPLICATION_FACTOR: String(replicas),
    KAFKA_MIN_INSYNC_REPLICAS: String(Math.min(2, replicas)),
    DATABASE_URL: databaseUrl,
    LANES: '8',
    EVENT_PARTITIONS: '2',
    JOURNAL_PARTITIONS: '2',
    RETRY_TIERS: TIERS.join(),
    RETRY_SCHEDULE: '250ms,1s,1s,4s,4s,4s',
    ADMIN_PORT: '0',
    SECRETS_KEY: randomBytes(32).toString('base64'),
    EGRESS_ALLOWED_CIDRS: '127.0.0.0/8',
  };
}

async function addMembers(fleet: Fleet, service: ServiceName, size: number): Promise<void> {
  for (let index = 0; index < size; index++) await fleet.add(service);
}
