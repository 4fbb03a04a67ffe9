import { hasPassed, LOOP_HEADER } from '@posthorn/egress';
import type { App } from './app.ts';
import { problem, sendProblem } from './problem.ts';

const LOOPED = problem('loop_detected', 'this request was sent by this system itself', {
  headers: { connection: 'close' },
});

/** Every request that goes out names us: one that comes back, by whatever name or detour, has gone round. */
export function refuseLoops(app: App, loopName: string): void {
  app.addHook('onRequest', (request, reply, done) => {
    const passed = request.headers[LOOP_HEADER];
    // Node joins what came more than once by ", ".
    if (passed !== undefined && hasPassed(String(passed), loopName)) sendProblem(reply, LOOPED);
    else done();
  });
}
