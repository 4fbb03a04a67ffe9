import type { Database } from '@posthorn/db';
import type { Clock } from '@posthorn/runtime';
import type { CliConfig } from './config.ts';

export interface Terminal {
  /** To standard output, as it is. Resolves when it takes more. */
  print(text: string): Promise<void>;
  /** A line for a person, to standard error. */
  tell(line: string): void;
}

/** What a command works with. */
export interface Session {
  readonly database: Database;
  readonly config: CliConfig;
  readonly terminal: Terminal;
  readonly clock: Clock;
  /** Who is at the terminal, as the machine knows him: for the audit log. */
  readonly user: string;
}
