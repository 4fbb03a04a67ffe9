import type { AddressInfo, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { openWay, PASSING, type Treatment, type Way } from './fault-way.ts';

/** `to-target`: what clients say; `from-target`: what they are answered. */
export type Direction = 'to-target' | 'from-target';
export type Directions = Direction | 'both';

/**
 * A TCP proxy between a service and what it depends on. Modes: `passing` (bytes flow), `cut` (every connection is
 * reset, new ones too), `silent` (connections stay, bytes wait), `faulty` (bytes come late or drop by drop, or flow in
 * one direction only). Tests move it between them.
 */
export interface FaultProxy {
  readonly port: number;
  readonly mode: 'passing' | 'cut' | 'silent' | 'faulty';
  cut(): void;
  /** In one direction alone: what the other side says still arrives. */
  silence(directions?: Directions): void;
  /** Every byte comes so much later. */
  delay(delayMs: number, directions?: Directions): void;
  trickle(bytesPerSec: number, directions?: Directions): void;
  /** Ends one direction of each open connection with a FIN, leaving the other open; new ones pass. */
  halfClose(direction: Direction): void;
  /** Resets the connections there are; new ones are treated as before. */
  reset(): void;
  heal(): void;
  close(): Promise<void>;
}

export interface FaultProxyOptions {
  readonly targetPort: number;
  readonly targetHost?: string;
  /** 0, the default, takes any free one. */
  readonly port?: number;
}

interface Connection {
  readonly sockets: readonly [Socket, Socket];
  readonly ways: Readonly<Record<Direction, Way>>;
}

const BOTH: readonly Direction[] = ['to-target', 'from-target'];

export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const { targetPort, targetHost = '127.0.0.1', port = 0 } = options;
  const treatments: Record<Direction, Treatment> = { 'to-target': PASSING, 'from-target': PASSING };
  const connections = new Set<Connection>();
  let isCut = false;

  const server = createServer({ allowHalfOpen: true }, (inbound) => {
    if (isCut) {
      inbound.resetAndDestroy();
      return;
    }
    const outbound = connect({ port: targetPort, host: targetHost, allowHalfOpen: true });
    const connection: Connection = {
      sockets: [inbound, outbound],
      ways: {
        'to-target': openWay(inbound, outbound, treatments['to-target']),
        'from-target': openWay(outbound, inbound, treatments['from-target']),
      },
    };
    connections.add(connection);
    const drop = () => {
      connections.delete(connection);
      inbound.destroy();
      outbound.destroy();
    };
    for (const socket of connection.sockets) {
      socket.setNoDelay(true);
      socket.on('error', drop);
      socket.on('close', drop);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });

  function treat(treatment: Treatment, directions: Directions): void {
    isCut = false;
    for (const direction of directions === 'both' ? BOTH : [directions]) {
      treatments[direction] = treatment;
      for (const { ways } of connections) ways[direction].treat(treatment);
    }
  }
  function reset(): void {
    for (const { sockets } of connections) for (const socket of sockets) socket.resetAndDestroy();
  }
  return {
    port: (server.address() as AddressInfo).port,
    get mode() {
      const kinds = BOTH.map((direction) => treatments[direction].kind);
      if (isCut) return 'cut';
      return kinds[0] === kinds[1] && (kinds[0] === 'passing' || kinds[0] === 'silent') ? kinds[0] : 'faulty';
    },
    cut() {
      isCut = true;
      reset();
    },
    silence: (directions = 'both') => treat({ kind: 'silent' }, directions),
    delay: (delayMs, directions = 'both') => treat({ kind: 'late', delayMs }, directions),
    trickle: (bytesPerSec, directions = 'both') => treat({ kind: 'trickling', bytesPerSec }, directions),
    halfClose(direction) {
      for (const { ways } of connections) ways[direction].end();
    },
    reset,
    heal: () => treat(PASSING, 'both'),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const { sockets } of connections) for (const socket of sockets) socket.destroy();
      }),
  };
}
