import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

/**
 * A TCP proxy between a service and what it depends on. Modes: `passing` (bytes flow), `cut` (every connection is
 * reset, new ones too), `silent` (connections stay, bytes wait). Tests move it between them.
 */
export interface FaultProxy {
  readonly port: number;
  readonly mode: 'passing' | 'cut' | 'silent';
  cut(): void;
  silence(): void;
  heal(): void;
  close(): Promise<void>;
}

export interface FaultProxyOptions {
  readonly targetPort: number;
  readonly targetHost?: string;
  /** 0, the default, takes any free one. */
  readonly port?: number;
}

export async function startFaultProxy(options: FaultProxyOptions): Promise<FaultProxy> {
  const { targetPort, targetHost = '127.0.0.1', port = 0 } = options;
  let mode: FaultProxy['mode'] = 'passing';
  const pairs = new Set<readonly [Socket, Socket]>();

  const server = createServer((inbound) => {
    if (mode === 'cut') {
      inbound.resetAndDestroy();
      return;
    }
    const outbound = connect(targetPort, targetHost);
    const pair = [inbound, outbound] as const;
    pairs.add(pair);
    const drop = () => {
      pairs.delete(pair);
      inbound.destroy();
      outbound.destroy();
    };
    for (const socket of pair) {
      socket.setNoDelay(true);
      socket.on('error', drop);
      socket.on('close', drop);
    }
    inbound.pipe(outbound);
    outbound.pipe(inbound);
    if (mode === 'silent') hold(pair);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });

  return {
    port: (server.address() as AddressInfo).port,
    get mode() {
      return mode;
    },
    cut() {
      mode = 'cut';
      for (const pair of pairs) for (const socket of pair) socket.resetAndDestroy();
    },
    silence() {
      mode = 'silent';
      for (const pair of pairs) hold(pair);
    },
    heal() {
      mode = 'passing';
      for (const [inbound, outbound] of pairs) {
        inbound.pipe(outbound);
        outbound.pipe(inbound);
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const pair of pairs) for (const socket of pair) socket.destroy();
      }),
  };
}

function hold([inbound, outbound]: readonly [Socket, Socket]): void {
  inbound.unpipe(outbound).pause();
  outbound.unpipe(inbound).pause();
}
