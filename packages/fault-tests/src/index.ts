export { judgeLog } from './fuzz/judge-log.ts';
export { runFuzz } from './fuzz/run-fuzz.ts';
export { type FuzzTarget, startTarget } from './fuzz/start-target.ts';
export { complaints, judge, type Verdict } from './oracle/judge.ts';
export { drainAndJudge } from './oracle/judge-round.ts';
export { MIXED, makeTenants } from './rig/make-tenants.ts';
export type { Member } from './rig/start-fleet.ts';
export { type Ground, type Rig, startRig } from './rig/start-rig.ts';
