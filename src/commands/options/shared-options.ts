import { parseCiliumNamespaces } from '../../mesh/cilium/namespaces.ts';
import { entriesOfList, spanWord } from '../../mesh/command-line.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import type { CommandSpec, OptionGroup, OptionSpec } from '../command-spec.ts';
import { parseContext, parseContexts, parseCount, parseDuration, parseList, parseTimeLimit } from './option-values.ts';

/** Flags that several commands have in the same way. */

/** Options under one heading, but for those that have one. */
export function grouped<const Options extends readonly OptionSpec[]>(group: OptionGroup, options: Options): Options {
  // A heading is no part of what the types read off an option.
  return options.map((option) => ({ group, ...option })) as readonly OptionSpec[] as Options;
}

/** The context where none is named: `--all`, and what asks no cluster, leave no place for it. */
const CONTEXT_VARIABLE = {
  name: 'MESHCTL_CONTEXT',
  unless: ({ all, client }: Readonly<Record<string, unknown>>) => all === true || client === true,
} as const;

/** In a shell the variable is there for all commands, also those that take several. */
function parseOneContext(text: string): string {
  if (entriesOfList(text).length === 1) return parseContext(text);
  throw new MeshctlError('Usage', `"${text}" names several contexts, and this command starts from one`, {
    hint: 'Name that one with --context, which wins over the variable.',
  });
}

export const CONTEXT = {
  flags: '--context <context>',
  description: 'kubeconfig context (default: the current one)',
  parse: parseContext,
  env: { ...CONTEXT_VARIABLE, parse: parseOneContext },
  complete: 'context',
  once: true,
  group: 'clusters',
} as const satisfies OptionSpec;

export const ALL = {
  flags: '--all',
  description: 'all contexts of the kubeconfig that run Cilium',
  default: false,
  group: 'clusters',
} as const satisfies OptionSpec;

/** For commands that take any number of clusters. */
export const CLUSTERS = [
  {
    flags: '--context <contexts>',
    description: 'kubeconfig contexts, comma-separated or repeated; * and ? match several (default: the current one)',
    parse: parseContexts,
    env: CONTEXT_VARIABLE,
    complete: 'contexts',
    repeatable: 'lists',
    group: 'clusters',
  },
  ALL,
] as const satisfies readonly OptionSpec[];

/** As in cilium-cli. */
export const CILIUM_NAMESPACE_VARIABLE = { name: 'CILIUM_NAMESPACE' } as const;

const CILIUM_NAMESPACE = {
  description:
    'namespace that Cilium runs in, or CONTEXT=NAMESPACE for one of several clusters, comma-separated (default: detected)',
  parse: (text: string) => {
    parseCiliumNamespaces(text);
    return text;
  },
  env: CILIUM_NAMESPACE_VARIABLE,
  complete: 'namespace',
  once: 'list',
  group: 'clusters',
} as const;

/** Of every command that reaches clusters. */
const NAMESPACE_OF_CILIUM = {
  flags: '-n, --namespace <namespace>',
  ...CILIUM_NAMESPACE,
} as const satisfies OptionSpec;

/** Where `-n` is about something else. */
export const CILIUM_NAMESPACE_APART = {
  flags: '--cilium-namespace <namespace>',
  ...CILIUM_NAMESPACE,
} as const satisfies OptionSpec;

/** @param what is waited for, e.g. `for the pods`. @param standard as it is typed, e.g. `5m` */
export const waitDuration = (what: string, standard: string) =>
  ({
    flags: '--wait-duration <duration>',
    also: ['--timeout'],
    description: `longest wait ${what}`,
    default: standard,
    parse: parseDuration,
    group: 'run',
  }) as const satisfies OptionSpec;

/** How long it is waited by default until clusters have parted. Milliseconds. */
export const PARTING_WAIT_MS = 120_000;

/** The same of commands that part clusters: what has to come to its end before pods are replaced has no limit unless one is given. */
export const partingWait = (what: string) =>
  ({
    flags: '--wait-duration <duration>',
    also: ['--timeout'],
    description: `longest wait ${what}, by default ${spanWord(PARTING_WAIT_MS)}, and before pods are replaced, by default as long as it takes`,
    parse: parseDuration,
    group: 'run',
  }) as const satisfies OptionSpec;

/** @param what happens to so many at a time, e.g. `agents asked at the same time` */
export const parallel = (what: string, standard: number) =>
  ({
    flags: '--parallel <count>',
    description: what,
    default: standard,
    parse: parseCount,
    group: 'run',
  }) as const satisfies OptionSpec;

/** For commands that ask agents. */
export const PARALLEL_AGENTS = parallel('agents of each cluster asked at the same time', 50);

export const NODE_TIMEOUT = {
  flags: '--node-timeout <duration>',
  group: 'run',
  description: 'longest wait for one agent',
  default: '10s',
  parse: parseDuration,
} as const satisfies OptionSpec;

/** For commands that can draw. */
export const PICTURE_FORMAT = {
  flags: '-o, --output <format>',
  group: 'output',
  description: 'format of the result',
  choices: ['table', 'json', 'yaml', 'mermaid', 'dot', 'svg'],
  default: 'table',
} as const satisfies OptionSpec;

export const KEY_SIZES = ['2048', '3072', '4096'] as const;

/** `--key-size` as a number. */
export function bitsOf(keySize: string | undefined): number | undefined {
  return keySize === undefined ? undefined : Number(keySize);
}

export const RESULT_FORMAT = {
  flags: '-o, --output <format>',
  description: 'format of the result',
  choices: ['text', 'json', 'yaml'],
  default: 'text',
  group: 'output',
} as const satisfies OptionSpec;

/** The namespace of a command's own subject, not of Cilium: `-A`, and a `NAMESPACE/NAME`, leave no place for it. */
export const NAMESPACE_VARIABLE = {
  name: 'MESHCTL_NAMESPACE',
  unless: ({ allNamespaces, service }: Readonly<Record<string, unknown>>) =>
    allNamespaces === true || String(service ?? '').includes('/'),
} as const;

/** For commands that print a list. */
export const NO_HEADERS = {
  flags: '--no-headers',
  description: 'only the rows of the table: no headings, no notes below it; these go to stderr',
  group: 'output',
} as const satisfies OptionSpec;

/** For commands that hold clusters against each other before they write. */
export const SKIP_CHECKS = {
  flags: '--skip-checks <ids>',
  description: 'compatibility checks to skip, comma-separated or repeated',
  parse: parseList,
  repeatable: 'lists',
  complete: 'compatibility-checks',
} as const satisfies OptionSpec;

/** For commands that write. With `--dry-run` they give the plan. */
export const DRY_RUN = {
  flags: '--dry-run [mode]',
  description:
    'print the plan and change nothing; "server" also lets the API server validate it (default mode: client)',
  choices: ['client', 'server'],
  group: 'run',
} as const satisfies OptionSpec;

export const PLAN_FORMAT = {
  ...RESULT_FORMAT,
  description: 'format of the result, or with --dry-run of the plan; manifests: its objects, for GitOps',
  choices: ['text', 'json', 'yaml', 'manifests'],
} as const satisfies OptionSpec;

/** For commands that only take away, or write only what belongs in no repository. */
export const RESULT_OR_PLAN_FORMAT = {
  ...RESULT_FORMAT,
  description: 'format of the result, or with --dry-run of the plan',
} as const satisfies OptionSpec;

/** For commands that take something away. */
export const YES = {
  flags: '-y, --yes',
  description: 'do not ask for confirmation',
  default: false,
  group: 'run',
} as const satisfies OptionSpec;

/** For commands that write to several clusters, and to all or none of them. */
export const NO_ROLLBACK = {
  flags: '--no-rollback',
  description: 'keep what was written when something fails, instead of rolling every cluster back',
  group: 'run',
} as const satisfies OptionSpec;

export const FORCE_CONFLICTS = {
  flags: '--force-conflicts',
  description: 'take over fields that Helm or other managers own',
  default: false,
  group: 'run',
} as const satisfies OptionSpec;

/** For commands that write to several clusters: what others own in one of them is no reason to take it in all. */
export const FORCE_CONFLICTS_IN = {
  flags: '--force-conflicts [contexts]',
  description: 'take over fields that Helm or other managers own; in these contexts only, where any are named',
  parse: parseContexts,
  repeatable: 'lists',
  complete: 'contexts',
  group: 'run',
} as const satisfies OptionSpec;

/** Flags of all commands that reach clusters; named as in kubectl and cilium-cli. */
export const CLUSTER_OPTIONS = grouped('clusters', [
  {
    flags: '--kubeconfig <path>',
    description: 'kubeconfig file (default: $KUBECONFIG, else ~/.kube/config)',
    complete: 'file',
  },
  NAMESPACE_OF_CILIUM,
  { flags: '--as <user>', description: 'user to impersonate' },
  { flags: '--as-group <group>', description: 'group to impersonate, repeatable', repeatable: true },
  {
    flags: '--request-timeout <duration>',
    description: 'longest wait for one answer of an API server, e.g. 30s; 0: no limit',
    default: '30s',
    parse: parseTimeLimit,
  },
]);

/** Flags of every command. */
export const COMMON_OPTIONS = [
  {
    flags: '-v, --verbose',
    description: 'show on stderr what is changed and which programs are run in pods; -vv: every request',
    counted: true,
    group: 'output',
  },
  {
    flags: '-q, --quiet',
    description: 'show no progress on stderr, only warnings, errors and what takes over 30 s',
    group: 'output',
  },
  {
    flags: '--color <when>',
    description: 'when to colour; auto, the default: on a terminal, unless NO_COLOR or FORCE_COLOR say otherwise',
    choices: ['auto', 'always', 'never'],
    group: 'output',
  },
  {
    flags: '--debug',
    description: 'show every request and stack traces on stderr (never secret values)',
    group: 'output',
  },
] as const satisfies readonly OptionSpec[];

/** Of every command and every group of commands. */
export const HELP_FLAG = {
  flags: '-h, --help',
  description: 'display help for command',
  group: 'output',
} as const satisfies OptionSpec;

/** Of meshctl itself. */
export const VERSION_FLAG = { flags: '-V, --version', description: 'print the version' } as const satisfies OptionSpec;

/** `--output` of `-o, --output <format>`. */
export function flagNameOf({ flags }: OptionSpec): string | undefined {
  return /--[a-z-]+/.exec(flags)?.[0];
}

/** All names of a flag, short and long. */
export function flagNamesOf({ flags, also = [] }: OptionSpec): string[] {
  return [...(flags.match(/(?<![\w-])--?[a-zA-Z][a-z-]*/g) ?? []), ...also];
}

/** What a command takes: its own flags, and the shared ones that these do not replace. */
export function optionsOf({ options, reachesClusters }: CommandSpec): OptionSpec[] {
  const names = new Set(options.map(flagNameOf));
  const shared: readonly OptionSpec[] = [...(reachesClusters ? CLUSTER_OPTIONS : []), ...COMMON_OPTIONS];
  return [...options, ...shared.filter((option) => !names.has(flagNameOf(option)))];
}
