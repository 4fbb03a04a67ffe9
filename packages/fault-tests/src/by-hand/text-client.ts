/** A record as a person sees it in a Kafka client: nothing but text. */
export interface TextRecord {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly key: string;
  readonly value: string;
}

/** A Kafka client that we did not write. */
export interface TextClient {
  readonly name: string;
  /** The first records of a topic, this many. */
  read(topic: string, count: number): Promise<TextRecord[]>;
  /** Into this partition, when the client lets a person name one. */
  write(topic: string, records: readonly TextRecord[], partition: number): Promise<void>;
}

export const headerOf = ({ headers }: TextRecord, name: string): string | undefined =>
  headers.find(([given]) => given === name)?.[1];

/** With these headers in the place of those of the same name; undefined takes one away. */
export function withHeaders(
  record: TextRecord,
  changed: Readonly<Record<string, string | undefined>>,
): TextRecord {
  const kept = record.headers.filter(([name]) => !Object.hasOwn(changed, name));
  const added = Object.entries(changed).filter((each): each is [string, string] => each[1] !== undefined);
  return { ...record, headers: [...kept, ...added] };
}
