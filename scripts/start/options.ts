import { parseArgs } from 'node:util';

export const USAGE = `npm start                  Posthorn on this machine, with a demo tenant and a demo receiver, live
npm start -- --port 3001   the API on another port
npm start -- --quiet       no live lines and no guide
npm start -- --no-demo     the system alone: no demo tenant, no events
npm start -- --fresh       without the data of earlier runs
npm run dev                the same, each service restarted when its files change

Ctrl-C stops everything; data stays in .posthorn. KAFKA_BROKERS and DATABASE_URL, where set, are used instead of a
Kafka and a Postgres started for you. Other settings of the services (docs/configuration.md) are passed on to them.`;

const DEFAULT_PORT = 3000;

export type StartOptions = {
  readonly help: boolean;
  readonly quiet: boolean;
  readonly demo: boolean;
  readonly fresh: boolean;
  readonly watch: boolean;
  readonly port: number;
};

/** @throws Error naming the argument that is wrong. */
export function parseOptions(argv: readonly string[]): StartOptions {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      help: { type: 'boolean', short: 'h', default: false },
      quiet: { type: 'boolean', default: false },
      'no-demo': { type: 'boolean', default: false },
      fresh: { type: 'boolean', default: false },
      watch: { type: 'boolean', default: false },
      port: { type: 'string', default: String(DEFAULT_PORT) },
    },
  });
  const port = Number(values.port);
  if (!/^\d+$/.test(values.port) || port < 1 || port > 65_535)
    throw new Error(`--port takes a number from 1 to 65535, not ${values.port}`);
  const { help, quiet, fresh, watch } = values;
  return { help, quiet, fresh, watch, port, demo: !values['no-demo'] };
}
