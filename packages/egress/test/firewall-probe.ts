/** Run in a network namespace of its own: listens on the addresses that it is given, calls each, and says what came. */
import { type AddressPolicy, createResolver } from '../src/index.ts';
import { OK, respond, startRawReceiver } from './raw-receiver.ts';
import { setupAgent } from './setup-agent.ts';

const guardOff: AddressPolicy = {
  judgeAddress: () => ({ allowed: true }),
  judgeTarget: () => ({ allowed: true }),
  isOwn: () => false,
};
const setup = setupAgent({ policy: guardOff, resolver: createResolver({ policy: guardOff }) });
const seen = [];
for (const host of process.argv.slice(2)) {
  const receiver = await startRawReceiver({ host, onRequest: respond(OK) });
  const authority = host.includes(':') ? `[${host}]` : host;
  const sent = await setup.send(`http://${authority}:${receiver.port}/`);
  const answer = sent.kind === 'failure' ? `${sent.failure}: ${sent.detail}` : sent.kind;
  seen.push({ host, answer, connections: receiver.connections });
  await receiver[Symbol.asyncDispose]();
}
await setup.agent.close();
process.stdout.write(JSON.stringify(seen));
