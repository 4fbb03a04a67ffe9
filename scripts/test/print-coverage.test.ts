import { expect, it } from 'vitest';
import { byPackage } from './print-coverage.ts';

it('adds up the files of each package', () => {
  const share = (covered: number, total: number) => ({ covered, total });
  const files = {
    '/p/services/worker/src/a.ts': { lines: share(1, 2), branches: share(0, 4) },
    '/p/services/worker/src/settle/b.ts': { lines: share(5, 6), branches: share(3, 4) },
    '/p/packages/kafka/src/c.ts': { lines: share(7, 7), branches: share(1, 1) },
  };
  expect(Object.fromEntries(byPackage('/p', files))).toEqual({
    'services/worker': { lines: share(6, 8), branches: share(3, 8) },
    'packages/kafka': { lines: share(7, 7), branches: share(1, 1) },
  });
});
