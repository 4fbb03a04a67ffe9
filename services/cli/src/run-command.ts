import { openDatabase } from '@posthorn/db';
import { databaseOptions, type Environment } from '@posthorn/runtime';
import { readServiceConfig } from './config.ts';
import { createOperatorKey } from './create-operator-key.ts';
import { exportAuditLog } from './export-audit-log.ts';
import { type Command, readCommand, USAGE } from './read-command.ts';
import { reencryptSecrets } from './reencrypt-secrets.ts';
import type { Session } from './session.ts';
import { tellSecretsStatus } from './tell-secrets-status.ts';
import { printHead, verifyChain } from './verify-chain.ts';

export interface Surroundings extends Omit<Session, 'database' | 'config'> {
  readonly environment: Environment;
}

/** Arguments in, text and an exit code out: 0 done, 1 not as it should be, 2 not understood. */
export async function runCommand(args: readonly string[], surroundings: Surroundings): Promise<number> {
  const { terminal, environment } = surroundings;
  let command: Command;
  try {
    command = readCommand(args);
  } catch (error) {
    terminal.tell(`${messageOf(error)}; see --help`);
    return 2;
  }
  if (command.name === 'help') {
    await terminal.print(`${USAGE}\n`);
    return 0;
  }
  try {
    const config = readServiceConfig(environment);
    const database = openDatabase(databaseOptions(config, 'posthorn-cli'));
    try {
      return await run(command, { ...surroundings, config, database });
    } finally {
      await database.close();
    }
  } catch (error) {
    terminal.tell(`${command.name} failed: ${messageOf(error)}`);
    return 1;
  }
}

function run(command: Exclude<Command, { name: 'help' }>, session: Session): Promise<number> {
  switch (command.name) {
    case 'keys create-operator':
      return createOperatorKey(session, command);
    case 'audit head':
      return printHead(session);
    case 'audit verify':
      return verifyChain(session, command.pins);
    case 'audit export':
      return exportAuditLog(session, command);
    case 'secrets status':
      return tellSecretsStatus(session);
    case 'secrets reencrypt':
      return reencryptSecrets(session, command);
    default:
      return command satisfies never;
  }
}

/** A refused connection has an empty message, and its reasons within. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join(', ');
  return error instanceof Error ? error.message : String(error);
}
