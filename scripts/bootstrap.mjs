// Entry of every npm script. This file stays parsable by old Nodes, so that they get a sentence instead of a stack.
const LEAST_NODE = 18;
if (Number(process.versions.node.split('.')[0]) < LEAST_NODE) {
  console.error(
    `Posthorn needs Node ${LEAST_NODE} or newer to set itself up; this is ${process.version}. Get one from https://nodejs.org`,
  );
  process.exit(1);
}
import('./bootstrap/run.mjs').then(({ run }) => run(process.argv.slice(2)));
