import { parseCiliumNamespaces } from '../mesh/cilium/namespaces.ts';
import type { OptionGroup, OptionSpec } from './command.ts';
import { parseDuration, parseList } from './option-values.ts';

/** Flags that several commands have in the same way. */

/** Options under one heading, but for those that have one. */
export function grouped(group: OptionGroup, options: readonly OptionSpec[]): OptionSpec[] {
  return options.map((option) => ({ group, ...option }));
}

export const CONTEXT: OptionSpec = {
  flags: '--context <context>',
  description: 'kubeconfig context (default: the current one)',
  once: true,
  group: 'clusters',
};

export const ALL: OptionSpec = {
  flags: '--all',
  description: 'all contexts of the kubeconfig that run Cilium',
  default: false,
  group: 'clusters',
};

/** For commands that take any number of clusters. */
export const CLUSTERS: readonly OptionSpec[] = [
  {
    flags: '--context <contexts>',
    description: 'kubeconfig contexts, comma-separated or repeated; * and ? match several (default: the current one)',
    parse: parseList,
    repeatable: 'lists',
    group: 'clusters',
  },
  ALL,
];

const CILIUM_NAMESPACE = {
  description:
    'namespace that Cilium runs in, or CONTEXT=NAMESPACE for one of several clusters, comma-separated (default: found by itself)',
  parse: (text: string) => {
    parseCiliumNamespaces(text);
    return text;
  },
  once: true,
  group: 'clusters',
} as const;

/** Of every command that reaches clusters. */
export const NAMESPACE_OF_CILIUM: OptionSpec = { flags: '-n, --namespace <namespace>', ...CILIUM_NAMESPACE };

/** Where `-n` is about something else. */
export const CILIUM_NAMESPACE_APART: OptionSpec = { flags: '--cilium-namespace <namespace>', ...CILIUM_NAMESPACE };

export const waitDuration = (what: string, standard: string): OptionSpec => ({
  flags: '--wait-duration <duration>',
  description: `longest wait ${what}`,
  default: standard,
  parse: parseDuration,
  group: 'run',
});

export const RESULT_FORMAT: OptionSpec = {
  flags: '-o, --output <format>',
  description: 'format of the result',
  choices: ['text', 'json', 'yaml'],
  default: 'text',
  group: 'output',
};

/** For commands that write. With `--dry-run` they give the plan. */
export const DRY_RUN: OptionSpec = {
  flags: '--dry-run [mode]',
  description: 'print the plan and change nothing; "server" also lets the API server judge it (default mode: client)',
  choices: ['client', 'server'],
  group: 'run',
};

export const PLAN_FORMAT: OptionSpec = {
  ...RESULT_FORMAT,
  description: 'format of the result, or with --dry-run of the plan; manifests: its objects, for GitOps',
  choices: ['text', 'json', 'yaml', 'manifests'],
};

/** For commands that only take away, or write only what belongs in no repository. */
export const RESULT_OR_PLAN_FORMAT: OptionSpec = {
  ...RESULT_FORMAT,
  description: 'format of the result, or with --dry-run of the plan',
};

/** For commands that take something away. */
export const YES: OptionSpec = {
  flags: '-y, --yes',
  description: 'do not ask whether to go on',
  default: false,
  group: 'run',
};

/** For commands that write to several clusters, and to all or none of them. */
export const NO_ROLLBACK: OptionSpec = {
  flags: '--no-rollback',
  description: 'leave what stands when something fails, instead of putting every cluster back',
  group: 'run',
};

export const FORCE_CONFLICTS: OptionSpec = {
  flags: '--force-conflicts',
  description: 'take over fields that Helm or other managers own',
  default: false,
  group: 'run',
};
