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

/** For tools and tests: what `kafka-acls.sh --add` does, all rules in one request. */
export async function grantAccess(client: KafkaClient, rules: readonly AccessRule[]): Promise<void> {
  const admin = openAdmin(client);
  await admin.connect();
  try {
    await admin.createAcls({ acl: rules.flatMap(entriesOf) });
  } finally {
    await admin.disconnect();
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
