import kafkajs, { type AclEntry } from 'kafkajs';
import { type KafkaClient, openAdmin } from './client.ts';

/** Who may do what to which topics and groups. */
export interface AccessRule {
  /** Without the "User:" in front. */
  readonly principals: readonly string[];
  readonly operations: readonly AccessOperation[];
  readonly topics: readonly string[];
  readonly groups: readonly string[];
  /** Names stand for all that begin so. */
  readonly prefixed: boolean;
}

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs;
const OPERATIONS = {
  Create: AclOperationTypes.CREATE,
  Describe: AclOperationTypes.DESCRIBE,
  DescribeConfigs: AclOperationTypes.DESCRIBE_CONFIGS,
  Read: AclOperationTypes.READ,
  Write: AclOperationTypes.WRITE,
} as const;
export type AccessOperation = keyof typeof OPERATIONS;

const EFFECT_TIMEOUT_MS = 15_000;
const EFFECT_POLL_MS = 20;

/** For tools and tests: what `kafka-acls.sh --add` does, all rules in one request. They hold when it resolves. */
export async function grantAccess(client: KafkaClient, rules: readonly AccessRule[]): Promise<void> {
  const admin = openAdmin(client);
  await admin.connect();
  try {
    const entries = rules.flatMap(entriesOf);
    await admin.createAcls({ acl: entries });
    const last = entries.at(-1);
    if (last !== undefined) await untilEffective(admin, last);
  } finally {
    await admin.disconnect();
  }
}

/** The controller has written them; the broker, which judges by them, reads them a moment later, in their order. */
async function untilEffective(admin: ReturnType<typeof openAdmin>, entry: AclEntry): Promise<void> {
  const untilMs = performance.now() + EFFECT_TIMEOUT_MS;
  for (;;) {
    const { resources } = await admin.describeAcls(entry);
    if (resources.length > 0) return;
    if (performance.now() > untilMs) throw new Error(`a rule has no effect after ${EFFECT_TIMEOUT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, EFFECT_POLL_MS));
  }
}

function entriesOf({ principals, operations, topics, groups, prefixed }: AccessRule): AclEntry[] {
  const resources = [
    ...topics.map((resourceName) => ({ resourceName, resourceType: AclResourceTypes.TOPIC })),
    ...groups.map((resourceName) => ({ resourceName, resourceType: AclResourceTypes.GROUP })),
  ];
  return resources.flatMap((resource) =>
    principals.flatMap((principal) =>
      operations.map((operation) => ({
        ...resource,
        resourcePatternType: prefixed ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
        principal: `User:${principal}`,
        host: '*',
        operation: OPERATIONS[operation],
        permissionType: AclPermissionTypes.ALLOW,
      })),
    ),
  );
}
