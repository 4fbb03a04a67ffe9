import {
  decodeEvent,
  decodeReplay,
  decodeSlots,
  type EndpointId,
  type EventMeta,
  hasValidMac,
  type ReplayMeta,
} from '@posthorn/contracts';
import type { TrackedRecord } from '@posthorn/kafka';

/** What a record asks for, whoever made it: the API, a job, or a person with a Kafka client. */
export interface ReplayRequest extends ReplayMeta {
  readonly event: EventMeta;
  /** Each once. */
  readonly endpointIds: readonly EndpointId[];
}

/** The record does not carry our word for its tenant, event, endpoints and payload. */
export class BadMac extends Error {
  override name = 'BadMac';
}

/**
 * Reads a record of `replay`, or a dead letter that asks for its replay. Headers that are not ours, their order, the
 * key and the partition do not matter.
 * @throws RecordFormatError, BadMac
 */
export function readRequest(
  macKeys: readonly Uint8Array[],
  { headers, value }: TrackedRecord,
): ReplayRequest {
  const event = decodeEvent(headers);
  const endpointIds = [...new Set(decodeSlots(headers))];
  const meta = decodeReplay(headers);
  if (!macKeys.some((key) => hasValidMac(key, headers, value))) {
    throw new BadMac(
      headers.ph_mac === undefined
        ? 'header ph_mac is missing'
        : 'tenant, event, endpoint or payload are not those that ph_mac was made for',
    );
  }
  return { ...meta, event, endpointIds };
}
