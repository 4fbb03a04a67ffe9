import type { Socket } from 'node:net';
import { CONNECT_TIMED_OUT, type Failed, fail, type Outcome } from '../dial-failure.ts';
import { connectTcp, secure } from '../open-socket.ts';
import { CONNECTION_REFUSED } from '../resolve.ts';
import type { SecureContexts } from '../secure-contexts.ts';
import { connectByHttp } from './http-connect.ts';
import type { EgressProxy } from './parse-proxy-url.ts';
import { connectBySocks5 } from './socks5.ts';
import type { TunnelEnd } from './tunnel-end.ts';

/**
 * A connection to `end` by way of the proxy. Whatever keeps the proxy from it reads like a closed port to the tenant: what
 * the operator's network lets through is none of his business.
 */
export async function connectThroughProxy(
  proxy: EgressProxy,
  end: TunnelEnd,
  secureContexts: SecureContexts,
  timeoutMs: number,
): Promise<Outcome> {
  const startedAtMs = performance.now();
  const leftMs = () => Math.max(1, timeoutMs - (performance.now() - startedAtMs));
  const connected = await connectTcp(proxy.host, proxy.port, timeoutMs);
  if (!connected.ok) return ofProxy(connected);
  const secured =
    proxy.kind === 'https'
      ? await secure(connected.socket, proxy.host, secureContexts.of(undefined), leftMs())
      : connected;
  if (!secured.ok) return ofProxy(secured);
  return openTunnel(secured.socket, proxy, end, leftMs());
}

async function openTunnel(
  socket: Socket,
  proxy: EgressProxy,
  end: TunnelEnd,
  timeoutMs: number,
): Promise<Outcome> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    socket.destroy();
  }, timeoutMs);
  const ask = proxy.kind === 'socks5' ? connectBySocks5 : connectByHttp;
  const refusal = await ask(socket, end, proxy.credentials);
  clearTimeout(timer);
  if (refusal === null && !socket.destroyed) return { ok: true, socket };
  socket.destroy();
  const why = isLate ? 'the proxy gave no tunnel in time' : (refusal?.operatorDetail ?? 'the proxy hung up');
  return failedAtProxy(isLate || refusal?.timedOut === true, `${why}, asked for ${end.address}`);
}

/** The proxy itself could not be had. */
const ofProxy = ({ failure, operatorDetail }: Failed): Failed =>
  failedAtProxy(failure === 'timeout', `proxy: ${operatorDetail}`);

function failedAtProxy(timedOut: boolean, operatorDetail: string): Failed {
  const failed = timedOut
    ? fail('timeout', CONNECT_TIMED_OUT, operatorDetail)
    : fail('connect', CONNECTION_REFUSED, operatorDetail);
  return { ...failed, atProxy: true };
}
