import { freePort } from '@posthorn/testkit';
import type { SendReport } from '../sender.ts';
import { type Peer, startPeer } from '../services.ts';

/** A sender and a receiver of their own; a workload with two kinds of tenants has two. */
export interface Crew {
  readonly sender: Peer;
  readonly receiver: Peer;
  readonly receiverPort: number;
  stop(): void;
}

export async function startCrew(
  receiverDelayMs: number,
  keeps: 'totals' | 'timeline' = 'totals',
): Promise<Crew> {
  const receiverPort = await freePort();
  const receiver = await startPeer('receiver.ts', [String(receiverPort), String(receiverDelayMs), keeps]);
  const sender = await startPeer('sender.ts');
  return {
    sender,
    receiver,
    receiverPort,
    stop() {
      sender.stop();
      receiver.stop();
    },
  };
}

export interface Load {
  readonly url: string;
  readonly tenants: readonly { readonly tenantId: string; readonly key: string }[];
  readonly eventsPerSec: number;
  readonly seconds: number;
}

/** Sends events of 1 KB; settles when all have been answered. */
export async function send(crew: Crew, load: Load): Promise<SendReport> {
  return crew.sender.ask<SendReport>({ ...load, payloadBytes: 1024 });
}
