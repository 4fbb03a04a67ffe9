import { isIP } from 'node:net';
import { isPlainText } from '@posthorn/contracts';
import type { Actor } from '@posthorn/db';
import type { FastifyRequest } from 'fastify';
import { invalidRequest, type Problem } from '../http/problem.ts';

export type { Actor } from '@posthorn/db';

export const MAX_ACTOR_CHARS = 128;

/**
 * Who makes a change, for the audit log. The name is what the header `X-Actor` says, or, of a portal token, the person
 * it was made for: what his browser sends is his own word.
 */
export function actorOf(request: FastifyRequest): Actor {
  const { caller } = request;
  const name = caller.kind === 'portal' ? caller.name : readActorName(request.headers['x-actor']);
  return { keyId: caller.keyId, name: name ?? null, ip: addressOf(request), requestId: request.id };
}

/** Null when there is no such header; undefined for one that is no plain text of bounded length. */
export function readActorName(header: string | readonly string[] | undefined): string | null | undefined {
  if (header === undefined) return null;
  if (typeof header !== 'string') return undefined;
  // Node reads header bytes as Latin-1; what people are called is sent as UTF-8.
  const name = Buffer.from(header, 'latin1').toString('utf8').trim();
  if (name === '') return null;
  return name.length <= MAX_ACTOR_CHARS && isPlainText(name) && !name.includes('�') ? name : undefined;
}

/** A name that the audit log could not show as it was sent is refused, whatever the request does. */
export const refuseActorName = (header: string | readonly string[] | undefined): Problem | null =>
  header === undefined || readActorName(header) !== undefined ? null : UNFIT_NAME;

const UNFIT_NAME = invalidRequest([
  { pointer: 'X-Actor', detail: `must be plain text in UTF-8 of at most ${MAX_ACTOR_CHARS} characters` },
]);

/** Where proxies are trusted it comes out of a header, in which anything may stand. */
function addressOf(request: FastifyRequest): string | null {
  const address = isIP(request.ip) ? request.ip : (request.socket.remoteAddress ?? null);
  return address?.replace(/^::ffff:(?=\d+\.)/, '') ?? null;
}
