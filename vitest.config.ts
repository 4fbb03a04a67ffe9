import { defineConfig } from 'vitest/config';
import { DELIVERY_CORE } from './scripts/test/delivery-core.ts';

/** Of each part of the delivery core, or the run fails. */
const LEAST_COVERED_PERCENT = { lines: 75, branches: 75 };
const IGNORED = ['**/node_modules/**', '.toolchain/**', '.posthorn/**'];
const INFRA = 'scripts/vitest/global-setup.ts';
const DRAW_ALIKE = 'scripts/vitest/draw-alike.ts';
/**
 * Integration tests that need a database of their own and nothing else: they share what they import, as unit tests do,
 * which is most of their time. What has connections to Kafka, processes or a fault proxy keeps a process to itself.
 */
const ON_A_DATABASE = [
  'packages/{db,tenant-config}/test/**/*.integration.test.ts',
  'services/{cli,ingest,recorder}/test/**/*.integration.test.ts',
  'services/setup/test/database-roles.integration.test.ts',
];
const WITH_MORE = [
  'packages/db/test/{connection-loss,migrate}.integration.test.ts',
  'services/ingest/test/{changes,ingest,statements}.integration.test.ts',
  'services/recorder/test/service.integration.test.ts',
];

export default defineConfig({
  test: {
    // Files of integration tests wait more than they compute.
    maxWorkers: 5,
    projects: [
      {
        test: {
          name: 'unit',
          setupFiles: [DRAW_ALIKE],
          // Half of the time went into loading the same modules again for every file; unit tests keep no state in them.
          isolate: false,
          testTimeout: 30_000 * Number(process.env.PROPERTY_RUNS_FACTOR ?? 1),
          include: ['{packages,services,scripts,bench}/**/*.test.ts'],
          exclude: [...IGNORED, '**/*.integration.test.ts', '**/*.system.test.ts'],
        },
      },
      {
        test: {
          name: 'integration',
          include: ['{packages,services,scripts}/**/*.integration.test.ts'],
          exclude: [...IGNORED, ...ON_A_DATABASE],
          globalSetup: [INFRA],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'integration with more',
          include: WITH_MORE,
          exclude: IGNORED,
          globalSetup: [INFRA],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'integration on a database',
          isolate: false,
          include: ON_A_DATABASE,
          exclude: [...IGNORED, ...WITH_MORE],
          globalSetup: [INFRA],
          setupFiles: ['scripts/vitest/fresh-database.ts', DRAW_ALIKE],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'system',
          include: ['packages/{system,fault}-tests/test/**/*.system.test.ts'],
          exclude: IGNORED,
          globalSetup: [INFRA],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          // Of one file: they wait for the same seconds together.
          maxConcurrency: 10,
        },
      },
    ],
    coverage: {
      provider: 'v8',
      include: DELIVERY_CORE.map((folder) => `${folder}/src/**/*.ts`),
      exclude: ['**/*.test.ts'],
      reporter: ['json-summary'],
      reportOnFailure: true,
      thresholds: Object.fromEntries(
        DELIVERY_CORE.map((folder) => [`${folder}/src/**/*.ts`, LEAST_COVERED_PERCENT]),
      ),
    },
  },
});
