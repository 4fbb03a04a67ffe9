import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

const HOST = '127.0.0.1';
/** Of this many requests to `/shaky`, one is answered 503. */
const SHAKY_EVERY = 3;

export type DemoReceiver = { readonly port: number; url(path: string): string; close(): Promise<void> };

/**
 * Plays the tenant's endpoints: `/broken` always fails, `/shaky` now and then, all else is well. Each agrees when it is asked
 * whether it wants webhooks.
 */
export async function startDemoReceiver(wantedPort: number): Promise<DemoReceiver> {
  let shakyRequests = 0;
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.once('end', () => {
      const challenge = challengeIn(Buffer.concat(chunks).toString());
      if (challenge !== undefined) response.writeHead(200).end(challenge);
      else if (request.url === '/broken') response.writeHead(500).end('out of order\n');
      else if (request.url === '/shaky' && ++shakyRequests % SHAKY_EVERY === 1)
        response.writeHead(503).end('busy\n');
      else response.writeHead(200).end('thanks\n');
    });
  });
  const port = await listen(server, wantedPort).catch(() => listen(server, 0));
  return {
    port,
    url: (path) => `http://${HOST}:${port}${path}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Only this machine reaches it, so it agrees to whoever asks. One that others reach looks at the signature first. */
function challengeIn(body: string): string | undefined {
  if (!body.includes('webhook.verification')) return undefined;
  try {
    const { type, challenge } = JSON.parse(body);
    return type === 'webhook.verification' && typeof challenge === 'string' ? challenge : undefined;
  } catch {
    return undefined;
  }
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, HOST, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}
