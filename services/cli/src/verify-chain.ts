import { type AuditFault, type AuditHead, readAuditHead, verifyAuditLog } from '@posthorn/db';
import type { Session } from './session.ts';

const renderHead = ({ seq, hash }: AuditHead): string => `${seq}:${hash}`;

export async function printHead({ database, terminal }: Session): Promise<number> {
  await terminal.print(`${renderHead(await readAuditHead(database.sql))}\n`);
  return 0;
}

/** Prints the head on standard output when all is as it should be: the next pin. */
export async function verifyChain(
  { database, terminal }: Session,
  pins: readonly AuditHead[],
): Promise<number> {
  const { entries, last, faults } = await verifyAuditLog(database.sql, pins);
  if (faults.length === 0) {
    terminal.tell(
      `${entries} entries, each as it was written${pins.length > 0 ? ', and the pins are of them' : ''}.`,
    );
    await terminal.print(`${renderHead(last)}\n`);
    return 0;
  }
  terminal.tell(`The audit log is not as it was written (${entries} entries):`);
  for (const fault of faults) terminal.tell(`  - ${describe(fault)}`);
  return 1;
}

function describe(fault: AuditFault): string {
  switch (fault.kind) {
    case 'altered':
      return `entry ${fault.seq} was edited, or put in another place`;
    case 'missing':
      return `${fault.count} from entry ${fault.seq} on were removed`;
    case 'cut':
      return `${fault.count} from entry ${fault.seq} on are missing at the end`;
    case 'replaced':
      return `entry ${fault.seq} is not the one that the head or a pin is of`;
    case 'unchained':
      return `${fault.count} were put in past the chain`;
    default:
      return fault satisfies never;
  }
}
