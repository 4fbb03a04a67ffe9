import type { Server } from 'node:http';
import { BlockList, isIPv4, isIPv6, type Socket } from 'node:net';
import type { IngestMetrics } from '../metrics.ts';
import { createPlaces } from '../places.ts';

/** Of all connections, what one client may hold at most; a proxy that is trusted speaks for many. */
const CLIENT_SHARE = 0.5;
/** Whoever has one address of IPv6 has this many of its groups, and all that follow, for himself. */
const IPV6_NETWORK_GROUPS = 4;

interface Bounds {
  readonly maxConnections: number;
  readonly trustedProxies?: readonly string[];
  readonly ingestMetrics: Pick<IngestMetrics, 'countRefusedConnection'>;
}

/** Connections beyond the bounds are closed at once: nothing of them is read. */
export function boundConnections(server: Server, bounds: Bounds): void {
  const { maxConnections, trustedProxies = [], ingestMetrics } = bounds;
  const most = Math.max(1, Math.floor(maxConnections * CLIENT_SHARE));
  const trusted = blocksOf(trustedProxies);
  const places = createPlaces(Number.POSITIVE_INFINITY, most);
  server.maxConnections = maxConnections;
  server.on('drop', () => ingestMetrics.countRefusedConnection('all'));
  server.prependListener('connection', (socket: Socket) => {
    const client = clientOf(socket.remoteAddress ?? '');
    if (isTrusted(trusted, client)) return;
    const network = networkOf(client);
    if (!places.take(network)) {
      ingestMetrics.countRefusedConnection('client');
      socket.destroy();
      return;
    }
    socket.once('close', () => places.give(network));
  });
}

/** Over a socket of both families an IPv4 address comes within an IPv6 one. */
const clientOf = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '').replace(/%.*$/, '');

/** Who counts as one client. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail = ''] = address.split('::');
  const given = head === '' ? [] : head.split(':');
  const missing = 8 - given.length - (tail === '' ? 0 : tail.split(':').length);
  const groups = address.includes('::') ? [...given, ...Array<string>(missing).fill('0')] : given;
  return groups.slice(0, IPV6_NETWORK_GROUPS).join(':');
}

function blocksOf(blocks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const block of blocks) {
    const [address = '', bits] = block.split('/');
    const family = isIPv4(address) ? 'ipv4' : 'ipv6';
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

const isTrusted = (list: BlockList, address: string): boolean =>
  (isIPv4(address) && list.check(address, 'ipv4')) || (isIPv6(address) && list.check(address, 'ipv6'));
