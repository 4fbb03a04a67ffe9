import { runClient } from './run-client.ts';
import type { TextClient, TextRecord } from './text-client.ts';

/** Header values have commas and colons in them. The producer takes it for a regular expression: nothing special. */
const HEADER_SEPARATOR = ';;';
const HEADERS = ['headers.separator', HEADER_SEPARATOR] as const;
const SHORT_LIVED = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];
const QUIET_MS = 20_000;
const CONSUMER = 'org.apache.kafka.tools.consumer.ConsoleConsumer';
const PRODUCER = 'org.apache.kafka.tools.ConsoleProducer';

/** `ConsoleConsumer` and `ConsoleProducer`, as they come with Kafka. They choose the partition by the key. */
export function consoleTools(brokers: readonly string[], classPath: readonly string[]): TextClient {
  const java = (main: string, args: readonly string[], input?: string): Promise<string> =>
    runClient('java', [...SHORT_LIVED, '-cp', classPath.join(':'), main, ...args], input);
  const server = ['--bootstrap-server', brokers.join()];
  return {
    name: "Kafka's console tools",
    async read(topic, count) {
      const shown = properties(['print.headers', 'true'], ['print.key', 'true'], HEADERS);
      const until = ['--max-messages', String(count), '--timeout-ms', String(QUIET_MS)];
      const out = await java(CONSUMER, [...server, '--topic', topic, '--from-beginning', ...until, ...shown]);
      return out.split('\n').filter(Boolean).map(parseLine);
    },
    async write(topic, records) {
      const parsed = properties(['parse.headers', 'true'], ['parse.key', 'true'], HEADERS);
      await java(PRODUCER, [...server, '--topic', topic, ...parsed], records.map(toLine).join(''));
    },
  };
}

const properties = (...given: readonly (readonly [string, string])[]): string[] =>
  given.flatMap(([name, value]) => ['--property', `${name}=${value}`]);

/** Headers, key and value, with tabs between them. */
function parseLine(line: string): TextRecord {
  const [headers = '', key = '', ...value] = line.split('\t');
  return {
    headers: headers.split(HEADER_SEPARATOR).map((each): [string, string] => {
      const colon = each.indexOf(':');
      return [each.slice(0, colon), each.slice(colon + 1)];
    }),
    key,
    value: value.join('\t'),
  };
}

const toLine = ({ headers, key, value }: TextRecord): string =>
  `${headers.map((pair) => pair.join(':')).join(HEADER_SEPARATOR)}\t${key}\t${value}\n`;
