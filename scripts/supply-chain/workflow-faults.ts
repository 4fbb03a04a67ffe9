/** An action of ours, or one by its commit with the release in a comment: a tag can be moved, a commit cannot. */
const PINNED = /^(\.\/\S+|[\w.-]+\/[\w./-]+@[0-9a-f]{40} # v\d+(\.\d+)*)$/;
/** Text that whoever opens a pull request chooses; in a command it would be a part of the command. */
const CHOSEN_BY_OTHERS = /\$\{\{\s*github\.(head_ref|event\.(?!number\b))/;

type Rule = (yaml: string) => string[];

const RULES: readonly Rule[] = [
  (yaml) =>
    all(yaml, /\buses: (.+)$/gm)
      .filter((uses) => !PINNED.test(uses))
      .map((uses) => `${uses} is not pinned`),
  (yaml) =>
    /^permissions:\n {2}contents: read\n(?! )/m.test(yaml)
      ? []
      : ['more than reading is permitted to all jobs'],
  (yaml) =>
    all(yaml, /\b(pull_request_target|workflow_run)\b/g).map(
      (event) => `${event} runs what others wrote with our rights`,
    ),
  (yaml) =>
    all(yaml, /^(?! *#).*(run:.*\$\{\{.*)$/gm)
      .filter((run) => CHOSEN_BY_OTHERS.test(run))
      .map((run) => `others choose a part of ${run}`),
  (yaml) => all(yaml, /\bruns-on: (\S+-latest)/g).map((image) => `${image} changes by itself`),
  (yaml) =>
    count(yaml, /\bruns-on:/g) === count(yaml, /\btimeout-minutes:/g) ? [] : ['a job has no time limit'],
  (yaml) =>
    count(yaml, /uses: actions\/checkout@/g) === count(yaml, /persist-credentials: false/g)
      ? []
      : ['a checkout leaves its token behind'],
  (yaml) =>
    all(yaml, /\b(npx|pnpm dlx|npm exec|curl[^\n|]*\|\s*(?:ba)?sh)\b/g).map(
      (command) => `${command} runs what nobody pinned`,
    ),
  (yaml) =>
    all(yaml, /((?:pnpm|npm) (?:install|i|add|update)\b(?!.*--frozen-lockfile).*)$/gm).map(
      (command) => `${command} goes by no lockfile`,
    ),
];

/** What in a workflow would let a change of somebody else's run with its rights. */
export const workflowFaults = (yaml: string): string[] => RULES.flatMap((rule) => rule(yaml));

/** Every image that a Dockerfile or a compose file takes, and that is not named by its digest. Images of ours are built. */
export function imageFaults(text: string): string[] {
  const taken = [
    ...all(text, /^ARG \w*IMAGE=(\S+)$/gm),
    ...all(text, /^FROM (\S+)/gm),
    ...all(text, /^ +image: (\S+)$/gm),
  ];
  const foreign = taken.filter((image) => !image.startsWith('${') && !image.startsWith('posthorn-'));
  return foreign
    .filter((image) => !/:[\w.-]+@sha256:[0-9a-f]{64}$/.test(image))
    .map((image) => `${image} has no digest`);
}

const all = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, found]) => found!);
const count = (text: string, pattern: RegExp): number => [...text.matchAll(pattern)].length;
