export type { Admin, CommittedOffset, TopicSpec } from './admin.ts';
export { createAdmin, refuseUnsafeTopics } from './admin.ts';
export type { KafkaClient, KafkaConnection, KafkaLog } from './client.ts';
export { connectKafka } from './client.ts';
export type {
  AssignedAt,
  Consumer,
  ConsumerOptions,
  ConsumerStats,
  FetchOptions,
  PartitionHandler,
  PartitionStats,
  SlotPlace,
  SlotUnderWay,
  TrackedRecord,
} from './consumer.ts';
export { type AccessOperation, type AccessRule, grantAccess } from './grant-access.ts';
export { createConsumer } from './group-consumer.ts';
export { KafkaRefusedError } from './name-refusals.ts';
export type { OutboundRecord, ProduceAck, ProduceErrorCode, ProduceReport } from './outbound.ts';
export { ProduceError } from './outbound.ts';
export { overwriteCommitted } from './overwrite-committed.ts';
export type { Producer, ProducerOptions } from './producer.ts';
export { createProducer } from './producer.ts';
