import { expect, it } from 'vitest';
import { createStopList } from './stop-list.ts';

const calm = new AbortController().signal;

it('stops what was started last first, and each once', async () => {
  const stopped: string[] = [];
  const list = createStopList();
  for (const name of ['Postgres', 'services', 'demo']) list.add(name, async () => void stopped.push(name));
  await list.run(calm, () => {});
  await list.run(calm, () => {});
  expect(stopped).toEqual(['demo', 'services', 'Postgres']);
});

it('goes on when one does not stop, and says which', async () => {
  const said: string[] = [];
  const stopped: string[] = [];
  const list = createStopList();
  list.add('Postgres', async () => void stopped.push('Postgres'));
  list.add('services', () => Promise.reject(new Error('no answer')));
  await list.run(calm, (line) => said.push(line));
  expect(stopped).toEqual(['Postgres']);
  expect(said).toEqual(['services did not stop as it should: no answer']);
});
