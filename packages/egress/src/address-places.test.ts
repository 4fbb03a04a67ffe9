import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AddressPlaces } from './address-places.ts';
import type { Connection } from './connection.ts';

const MOST = 3;
const MOST_WAITING = 2;

/** Whoever dials, waits, is busy, falls idle, closes: any of these may come next, at any of two addresses. */
const steps = fc.array(
  fc.record({
    does: fc.constantFrom('dial', 'fail', 'rest', 'reuse', 'close', 'give up'),
    place: fc.constantFrom('a', 'b'),
    which: fc.nat(9),
  }),
  { maxLength: 80 },
);

/** Connections that know no network. */
function setup() {
  const places = new AddressPlaces(MOST, MOST_WAITING);
  const open = new Set<Connection>();
  const idle = new Set<Connection>();
  const waiting = new Map<() => void, { readonly place: string; readonly queue: Set<() => void> }>();
  const at = (among: Iterable<Connection>, place: string) =>
    [...among].filter((each) => each.place === place);

  function dial(place: string): void {
    if (!places.take(place)) {
      const queue = places.queue(place);
      if (queue === null) {
        expect([...waiting.values()].filter((each) => each.place === place)).toHaveLength(MOST_WAITING);
        return;
      }
      const wake = (): void => {
        waiting.delete(wake);
        // As the agent does: a turn later, and another may have been quicker.
        woken.push(place);
      };
      waiting.set(wake, { place, queue });
      queue.add(wake);
      return;
    }
    const connection = { place, close: () => close(connection) } as unknown as Connection;
    open.add(connection);
  }
  function close(connection: Connection): void {
    open.delete(connection);
    idle.delete(connection);
    places.free(connection.place, connection);
  }
  const woken: string[] = [];
  return { places, open, idle, waiting, woken, at, dial, close };
}

test('whatever comes, no address has more than it may, nobody is forgotten, and nothing is left behind', () => {
  fc.assert(
    fc.property(steps, (all) => {
      const { places, open, idle, waiting, woken, at, dial, close } = setup();
      for (const { does, place, which } of all) {
        const busyHere = at(open, place).filter((each) => !idle.has(each));
        const one = (among: readonly Connection[]) => among[which % Math.max(1, among.length)];
        if (does === 'dial') dial(place);
        if (does === 'fail' && places.take(place)) places.free(place, null);
        const resting = does === 'rest' ? one(busyHere) : undefined;
        if (resting !== undefined) {
          idle.add(resting);
          places.idle(resting);
          places.offer(place);
        }
        const reused = does === 'reuse' ? one(at(idle, place)) : undefined;
        if (reused !== undefined) {
          idle.delete(reused);
          places.busy(reused);
        }
        const closed = does === 'close' ? one(at(open, place)) : undefined;
        if (closed !== undefined) close(closed);
        const late = does === 'give up' ? [...waiting].find(([, where]) => where.place === place) : undefined;
        if (late !== undefined) {
          const [wake, { queue }] = late;
          queue.delete(wake);
          waiting.delete(wake);
          places.offer(place);
        }
        for (let next = woken.shift(); next !== undefined; next = woken.shift()) {
          dial(next);
          places.offer(next);
        }
        for (const each of ['a', 'b']) {
          expect(at(open, each).length).toBeLessThanOrEqual(MOST);
          const isFull = at(open, each).length === MOST && at(idle, each).length === 0;
          if ([...waiting.values()].some((where) => where.place === each)) expect(isFull).toBe(true);
        }
      }
      for (const [wake, { queue }] of waiting) queue.delete(wake);
      for (const connection of [...open]) close(connection);
      expect(places.size).toBe(0);
    }),
    { numRuns: 300 },
  );
});
