import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { systemClock } from '@posthorn/runtime';
import {
  createAuthority,
  emptyDatabaseUrl,
  type Identity,
  kafkaBrokers,
  securedInfra,
} from '@posthorn/testkit';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { runSetUp } from '../src/run-set-up.ts';

/**
 * The set-up job is what people try a configuration with: what it says must name the cause and the remedy, it must end,
 * and never show the password.
 */
const PASSWORD = 'password-canary';
const DAY_MS = 86_400_000;
const authority = createAuthority();
const closing: (() => unknown)[] = [];
let folder: string;
let ca: string;
let otherCa: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'posthorn-refusals-'));
  ca = await put('ca.pem', authority.certificate);
  otherCa = await put('other-ca.pem', createAuthority().certificate);
});

afterAll(async () => {
  for (const close of closing) close();
  await rm(folder, { recursive: true, force: true });
});

async function put(name: string, text: string): Promise<string> {
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

const issued = {
  good: authority.issue({ name: 'server', names: ['localhost'] }),
  expired: authority.issue({
    name: 'server',
    names: ['localhost'],
    validFrom: new Date(Date.now() - 2 * DAY_MS),
    validTo: new Date(Date.now() - DAY_MS),
  }),
};

/** Speaks TLS from the first byte, as Kafka does, or when it is asked to, as Postgres does. */
async function listen(identity: Identity, isAsked: boolean): Promise<number> {
  const secure = (socket: Socket): void => {
    const { certificate: cert, key } = identity;
    new TLSSocket(socket, { isServer: true, cert, key }).on('error', () => {}).resume();
  };
  return listenWith((socket) => {
    if (!isAsked) return secure(socket);
    socket.once('data', () => {
      socket.write('S');
      secure(socket);
    });
  });
}

async function listenWith(onClient: (socket: Socket) => void): Promise<number> {
  const server: Server = createServer((socket) => onClient(socket.on('error', () => {})));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** What the job ends with; it does not wait for what may come. */
async function complaint(step: 'migrate' | 'topics', environment: Record<string, string>): Promise<string> {
  const lines: string[] = [];
  const terminal = { say: (line: string) => lines.push(line), complain: (line: string) => lines.push(line) };
  const given = { SETUP_WAIT_TIMEOUT_MS: '0', ...environment };
  expect(await runSetUp([step], given, systemClock, terminal)).toBe(1);
  const said = lines.join('\n');
  expect(said).not.toContain(PASSWORD);
  return said;
}

const toKafka = (environment: Record<string, string>): Promise<string> =>
  complaint('topics', { KAFKA_TLS: 'on', KAFKA_CA_FILE: ca, ...environment });

test('no variable of Node takes a certificate of anybody', async () => {
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
  onTestFinished(() => void vi.unstubAllEnvs());
  const [kafka, postgres] = [await listen(issued.good, false), await listen(issued.good, true)];
  const said = await Promise.all([
    toKafka({ KAFKA_BROKERS: `localhost:${kafka}`, KAFKA_CA_FILE: '' }),
    toPostgres(`localhost:${postgres}`, { DATABASE_TLS: 'verify-full' }),
  ]);
  for (const line of said) expect(line).toContain('signed by nobody we trust');
});

describe.concurrent('Kafka is refused, with the cause and the remedy,', () => {
  test('when its certificate is signed by somebody else', async () => {
    const at = `localhost:${await listen(issued.good, false)}`;
    const [byOther, byNode] = await Promise.all(
      [otherCa, ''].map((file) => toKafka({ KAFKA_BROKERS: at, KAFKA_CA_FILE: file })),
    );
    expect(byOther).toContain(
      `Kafka at ${at}: its certificate is not signed by an authority in KAFKA_CA_FILE`,
    );
    expect(byNode).toContain('signed by nobody we trust');
  });

  test('when its certificate is for another name', async () => {
    const said = await toKafka({ KAFKA_BROKERS: `127.0.0.1:${await listen(issued.good, false)}` });
    expect(said).toMatch(/its certificate is for another name .*connect by a name in the certificate/);
  });

  test('when its certificate has expired', async () => {
    const said = await toKafka({ KAFKA_BROKERS: `localhost:${await listen(issued.expired, false)}` });
    expect(said).toContain('its certificate has expired: renew it on the server');
  });

  test('when the port speaks plain text', async () => {
    expect(await toKafka({ KAFKA_BROKERS: kafkaBrokers().join() })).toContain(
      'does not speak TLS on this port: give the port that does, or set KAFKA_TLS=off',
    );
  });
});

const secured = securedInfra();

describe.skipIf(secured === undefined).concurrent('a broker with TLS and SASL refuses', () => {
  const account = (over: Record<string, string>) => ({
    KAFKA_BROKERS: secured!.kafkaByAccount,
    KAFKA_CA_FILE: secured!.caFile,
    KAFKA_SASL_MECHANISM: 'scram-sha-512',
    KAFKA_SASL_USERNAME: secured!.accounts.setup,
    KAFKA_SASL_PASSWORD: PASSWORD,
    ...over,
  });

  test.each(['plain', 'scram-sha-256', 'scram-sha-512'])('a wrong password by %s', async (mechanism) => {
    expect(await toKafka(account({ KAFKA_SASL_MECHANISM: mechanism }))).toContain(
      `does not take KAFKA_SASL_USERNAME with KAFKA_SASL_PASSWORD by ${mechanism}`,
    );
  });

  test('a client that speaks plain text', async () => {
    const said = await complaint('topics', { KAFKA_BROKERS: secured!.kafkaByAccount });
    expect(said).toContain(
      'closed the connection without an answer: where the port speaks TLS, set KAFKA_TLS=on',
    );
  });

  test('a client that does not say who it is', async () => {
    const said = await toKafka({ KAFKA_BROKERS: secured!.kafkaByAccount, KAFKA_CA_FILE: secured!.caFile });
    expect(said).toContain('it may want SASL (KAFKA_SASL_MECHANISM is none)');
  });

  test('an account where it knows clients by their certificates', async () => {
    const {
      kafkaByCertificate: KAFKA_BROKERS,
      certFile: KAFKA_CERT_FILE,
      keyFile: KAFKA_KEY_FILE,
    } = secured!;
    const said = await toKafka(account({ KAFKA_BROKERS, KAFKA_CERT_FILE, KAFKA_KEY_FILE }));
    expect(said).toContain('takes no KAFKA_SASL_MECHANISM=scram-sha-512 on this port');
  });

  test('a client without a certificate where it wants one', async () => {
    const said = await toKafka({
      KAFKA_BROKERS: secured!.kafkaByCertificate,
      KAFKA_CA_FILE: secured!.caFile,
    });
    expect(said).toContain('see KAFKA_CERT_FILE and KAFKA_KEY_FILE, it may want a client certificate');
  });

  test('a client that has no right to its topics', async () => {
    const said = await toKafka(
      account({ KAFKA_SASL_PASSWORD: secured!.password, KAFKA_TOPIC_PREFIX: 'no-right.' }),
    );
    expect(said).toContain('topic no-right.events could not be created: Not authorized to access topics');
  });
});

const toPostgres = (
  address: string,
  environment: Record<string, string> = { DATABASE_TLS: 'verify-full', DATABASE_CA_FILE: ca },
): Promise<string> =>
  complaint('migrate', {
    DATABASE_URL: `postgres://posthorn:${PASSWORD}@${address}/posthorn`,
    ...environment,
  });

describe.concurrent('Postgres is refused, with the cause and the remedy,', () => {
  test('when its certificate is signed by somebody else', async () => {
    const at = `localhost:${await listen(issued.good, true)}`;
    const said = await toPostgres(at, { DATABASE_TLS: 'verify-full', DATABASE_CA_FILE: otherCa });
    expect(said).toContain(
      `Postgres at ${at}: its certificate is not signed by an authority in DATABASE_CA_FILE`,
    );
    expect(await toPostgres(at, { DATABASE_TLS: 'verify-full' })).toContain('signed by nobody we trust');
  });

  test('when its certificate is for another name, also where it is reached by its address', async () => {
    const said = await toPostgres(`127.0.0.1:${await listen(issued.good, true)}`);
    expect(said).toMatch(/its certificate is for another name .*connect by a name in the certificate/);
  });

  test('when its certificate has expired', async () => {
    const said = await toPostgres(`localhost:${await listen(issued.expired, true)}`);
    expect(said).toContain('its certificate has expired: renew it on the server');
  });

  test('when it does not offer TLS, before it is told anything', async () => {
    const heard: Buffer[] = [];
    const port = await listenWith((socket) => {
      socket.on('data', (bytes) => heard.push(bytes));
      socket.once('data', () => socket.write('N'));
    });
    const said = await toPostgres(`localhost:${port}`);
    expect(said).toContain(
      'does not speak TLS on this port: give the port that does, or set DATABASE_TLS=off',
    );
    expect(Buffer.concat(heard)).toHaveLength(8);
  });

  test('when somebody on the way puts words before the first ones through TLS', async () => {
    const port = await listenWith((socket) => void socket.once('data', () => socket.write('SZ\0\0\0\x05I')));
    expect(await toPostgres(`localhost:${port}`)).toContain('the server said more than was asked before TLS');
  });

  test('when the password is wrong', async () => {
    const url = new URL(await emptyDatabaseUrl());
    expect(await toPostgres(url.host, {})).toContain('password authentication failed');
  });
});
