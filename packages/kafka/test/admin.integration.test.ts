import { waitUntil } from '@posthorn/testkit';
import { expect, test } from 'vitest';
import type { TopicSpec } from '../src/index.ts';
import { setup } from './setup.ts';

const PROMISES = ['cleanup.policy', 'message.timestamp.type'];

function spec(name: string, change: Partial<TopicSpec> = {}): TopicSpec {
  const config = { 'cleanup.policy': 'delete', 'message.timestamp.type': 'LogAppendTime' };
  return { name, partitions: 2, replicationFactor: 1, config, promises: PROMISES, ...change };
}

test('makes the topics that are missing and leaves the others alone', async () => {
  const { admin, topic } = await setup();
  const [a, b] = [`${topic}.a`, `${topic}.b`];
  expect(await admin.ensureTopics([spec(a)])).toEqual({ created: [a], existing: [] });
  expect(await admin.ensureTopics([spec(a), spec(b)])).toEqual({ created: [b], existing: [a] });
  expect(await admin.checkTopics([spec(a), spec(b)])).toEqual([]);
  // A broker may refuse a new topic for a moment after its metadata names the leaders.
  const ends = await waitUntil(() => admin.endOffsets(b), { what: `the leaders of ${b} answer` });
  expect(ends).toHaveLength(2);
});

test('says in a sentence each what of a live topic breaks a promise', async () => {
  const { admin, topic } = await setup();
  const name = `${topic}.live`;
  await admin.ensureTopics([spec(name, { config: { 'cleanup.policy': 'compact' } })]);
  expect(
    await admin.checkTopics([spec(name, { partitions: 3, replicationFactor: 2 }), spec(`${name}.none`)]),
  ).toEqual([
    `topic ${name}.none does not exist, or this service has no right to see it: create it (with its settings) before the services start`,
    `topic ${name} has 2 partitions, but 3 are expected`,
    `topic ${name} has 1 replicas, but 2 are promised`,
    `topic ${name} has cleanup.policy=compact, but delete is promised`,
    `topic ${name} has message.timestamp.type=CreateTime, but LogAppendTime is promised`,
  ]);
});

test('deletes by prefix, but never everything', async () => {
  const { admin, topic } = await setup();
  await admin.ensureTopics([spec(`${topic}.old.1`), spec(`${topic}.old.2`)]);
  expect((await admin.deleteTopicsWithPrefix(`${topic}.old.`)).sort()).toEqual([
    `${topic}.old.1`,
    `${topic}.old.2`,
  ]);
  // The broker lists what it has deleted for a moment longer.
  await waitUntil(async () => (await admin.deleteTopicsWithPrefix(`${topic}.old.`)).length === 0, {
    what: 'nothing left to delete',
  });
  await expect(admin.deleteTopicsWithPrefix('')).rejects.toThrow('prefix');
});

test('a group that never committed has -1 everywhere', async () => {
  const { admin, topic, groupId } = await setup({ partitions: 2 });
  const committed = await admin.fetchCommitted(groupId, [topic]);
  expect(committed.map(({ offset }) => offset)).toEqual([-1, -1]);
});

test('closing is safe twice', async () => {
  const { admin } = await setup();
  await admin.close();
  await admin.close();
});
