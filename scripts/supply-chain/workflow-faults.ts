interface Rule {
  /** Everything that it finds is a fault. */
  readonly pattern: RegExp;
  readonly why: string;
}

const FORBIDDEN: readonly Rule[] = [
  // An action of ours, or one by its commit with the release in a comment: a tag can be moved, a commit cannot.
  {
    pattern: /\buses: (?!\.\/|[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+(?:\.\d+)*$).*/gm,
    why: 'is not pinned by its commit',
  },
  { pattern: /\b(?:pull_request_target|workflow_run)\b/g, why: 'runs what others wrote with our rights' },
  // In a command it would be a part of the command.
  {
    pattern: /\$\{\{\s*github\.(?:head_ref|event\.)[^}]*/g,
    why: 'is text that whoever opens a pull request chooses',
  },
  { pattern: /\bruns-on: \S+-latest/g, why: 'changes by itself' },
  { pattern: /\b(?:npx|pnpm dlx|npm exec)\b.*/g, why: 'runs what nobody pinned' },
  { pattern: /\b(?:curl|wget)\b[^\n|]*\|\s*(?:ba)?sh\b/g, why: 'runs what nobody pinned' },
  {
    pattern: /\b(?:pnpm|npm) (?:install|i|add|update)\b(?!.*--frozen-lockfile).*/g,
    why: 'goes by no lockfile',
  },
  { pattern: /(?:moby|docker)\/buildkit\S*:\S*(?<!@sha256:[0-9a-f]{64})$/gm, why: 'has no digest' },
];

/** As many of the one as of the other. */
const PAIRED = [
  { of: /\bruns-on:/g, needs: /\btimeout-minutes:/g, why: 'a job has no time limit' },
  {
    of: /uses: actions\/checkout@/g,
    needs: /persist-credentials: false/g,
    why: 'a checkout leaves its token behind',
  },
] as const;

const READS_ONLY = /^permissions:\n {2}contents: read\n(?! )/m;

/** What in a workflow would let a change of somebody else's run with its rights. */
export const workflowFaults = (yaml: string): string[] => [
  ...FORBIDDEN.flatMap(({ pattern, why }) => all(yaml, pattern).map((found) => `${found} ${why}`)),
  ...PAIRED.filter(({ of, needs }) => all(yaml, of).length !== all(yaml, needs).length).map(({ why }) => why),
  ...(READS_ONLY.test(yaml) ? [] : ['jobs that ask for nothing may do more than read']),
];

const TAKEN = /^(?:# syntax=|ARG \w*IMAGE=|FROM | +image: )(\S+)/gm;
const BY_DIGEST = /:[\w.-]+@sha256:[0-9a-f]{64}$/;

/** Every image that a Dockerfile or a compose file takes, and that is not named by its digest. Ours are built. */
export function imageFaults(text: string): string[] {
  const taken = [...text.matchAll(TAKEN)].map(([, image]) => image!);
  const foreign = taken.filter((image) => !image.startsWith('$') && !image.startsWith('posthorn-'));
  return foreign.filter((image) => !BY_DIGEST.test(image)).map((image) => `${image} has no digest`);
}

const all = (text: string, pattern: RegExp): string[] => [...text.matchAll(pattern)].map(([found]) => found);
