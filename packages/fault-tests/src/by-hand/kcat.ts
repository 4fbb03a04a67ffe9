import { runClient } from './run-client.ts';
import type { TextClient, TextRecord } from './text-client.ts';

interface Shown {
  readonly key: string;
  readonly payload: string;
  /** Names and values in turns. */
  readonly headers: readonly string[];
}

/** Debian's client. What it is given on its standard input is one record, so that a payload may have several lines. */
export function kcat(brokers: readonly string[]): TextClient {
  const server = ['-b', brokers.join()];
  return {
    name: 'kcat',
    async read(topic, count) {
      const until = ['-o', 'beginning', '-e', '-c', String(count)];
      const out = await runClient('kcat', ['-C', '-q', '-J', ...server, '-t', topic, ...until]);
      return out.split('\n').filter(Boolean).map(parseLine);
    },
    async write(topic, records, partition) {
      for (const { headers, key, value } of records) {
        const given = headers.flatMap((pair) => ['-H', pair.join('=')]);
        const to = ['-t', topic, '-p', String(partition), '-k', key];
        // Ended by a character that JSON cannot have, instead of by each line.
        await runClient('kcat', ['-P', ...server, ...to, ...given, '-D', '\\x1e'], value);
      }
    },
  };
}

function parseLine(line: string): TextRecord {
  const { key, payload, headers } = JSON.parse(line) as Shown;
  const pairs = headers.flatMap((name, i): [string, string][] =>
    i % 2 === 0 ? [[name, headers[i + 1]!]] : [],
  );
  return { headers: pairs, key, value: payload };
}
