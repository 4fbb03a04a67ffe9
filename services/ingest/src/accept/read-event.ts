import type { IncomingHttpHeaders } from 'node:http';
import { type Problem, problem } from '../http/problem.ts';
import type { ReadContext } from './check-fields.ts';
import { parseCloudEvent } from './parse-cloud-event.ts';
import { parseEvent } from './parse-event.ts';
import { JSON_CONTENT_TYPE, type PostedEvent } from './posted-event.ts';
import { isBinaryMode, readCloudHeaders } from './read-cloud-headers.ts';

export const CLOUD_EVENT_TYPE = 'application/cloudevents+json';
export const CLOUD_EVENTS_BATCH_TYPE = 'application/cloudevents-batch+json';

/** The media type of a header without its parameters, in lower case; empty for none. */
export const essenceOf = (contentType: string | undefined): string =>
  contentType === undefined ? '' : contentType.split(';', 1)[0]!.trim().toLowerCase();

/** Reads the one event of a request, in any of the forms that `POST /events` takes. */
export function readEvent(
  headers: IncomingHttpHeaders,
  body: Buffer,
  context: ReadContext,
): PostedEvent | Problem {
  if (isBinaryMode(headers)) return readCloudHeaders(headers, body, context);
  const contentType = headers['content-type'];
  // Without a body there is nothing of a wrong type.
  if (contentType === JSON_CONTENT_TYPE || body.length === 0) return parseEvent(body, context);
  switch (essenceOf(contentType)) {
    case JSON_CONTENT_TYPE:
      return parseEvent(body, context);
    case CLOUD_EVENT_TYPE:
      return parseCloudEvent(body, context);
    default:
      return UNSUPPORTED;
  }
}

const UNSUPPORTED = problem(
  'unsupported_media_type',
  `send ${JSON_CONTENT_TYPE} or ${CLOUD_EVENT_TYPE}, or a CloudEvent in binary mode (header ce-specversion); several events go to /events/batch`,
);
