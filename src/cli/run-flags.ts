import type { CommandContext, CommandResult, ParsedOptions } from '../commands/command.ts';
import type { CommandSpec } from '../commands/command-spec.ts';
import { matchesAny } from '../commands/targets/context-patterns.ts';
import { contextList, contextsNamedBy, flagWord, shellWord } from '../mesh/command-line.ts';
import { withTexts } from '../mesh/nested-texts.ts';

/** By what this run reached its clusters, and went past their checks: a command that it tells the operator to type needs the same. */
export interface RunFlags {
  kubeconfig?: string | undefined;
  /** Cilium's namespace, where one was given. */
  ciliumNamespace?: string | undefined;
  as?: string | undefined;
  asGroup?: readonly string[] | undefined;
  /** Ids of the compatibility checks that do not count. */
  skipChecks?: readonly string[] | undefined;
  /** Where clusters are in another kubeconfig than the others. */
  destination?: Destination | undefined;
  /** The kubeconfigs of contexts that have one of their own: a mesh file names it. Known once the file is read. */
  elsewhere?: Map<string, string> | undefined;
  /** The context that only meshctl knows, of a pod's service account: without it, a command line means the same. */
  unnamedContext?: string | undefined;
}

interface Destination {
  kubeconfig: string;
  /** Whether a context is one of that kubeconfig's. */
  holds(context: string): boolean;
}

/** A command of kubectl, as opposed to a word about it. */
const KUBECTL =
  'kubectl(?= (?:--?[a-z][a-z-]*|annotate|apply|create|delete|describe|edit|exec|get|label|logs|patch|replace|rollout|scale)\\b)';
/** What grants rights is not for who lacks them: it is run as whoever the kubeconfig names. */
const GRANT = /^.*? (?:create (?:cluster)?role(?:binding)? |auth reconcile |apply -f (?:'[^']*|\S*)templates\/rbac\b)/;
/** Words as command-line.ts quotes them, up to what joins or ends commands. */
const WORDS = "(?: (?!&& |→)(?:\\\\'|[^\\s';|]|'[^']*')+)*";
/** The commands that name clusters of two kubeconfigs. */
const PAIRING = /^meshctl clustermesh (connect|disconnect)$/;
/** Those that are about what is between clusters: one alone tells them nothing. */
const BETWEEN = /^meshctl (connectivity (probe|test)|clustermesh (firewall|routes))$/;

/** The flags of a run of a command. */
export function runFlagsOf(options: ParsedOptions, command: CommandSpec): RunFlags {
  const { kubeconfig, as, asGroup, skipChecks, namespace, ciliumNamespace } = options;
  return {
    kubeconfig: textOf(kubeconfig),
    as: textOf(as),
    asGroup: Array.isArray(asGroup) ? asGroup.map(String) : undefined,
    skipChecks: Array.isArray(skipChecks) ? skipChecks.map(String) : undefined,
    ciliumNamespace: textOf(namespaceOptionOf(command) === '-n' ? namespace : ciliumNamespace),
    destination: destinationOf(options),
    elsewhere: new Map(),
  };
}

/** `connect --destination-kubeconfig`: all contexts but the source, or those that were named. */
function destinationOf({
  destinationKubeconfig,
  destinationContext,
  context,
  all,
}: ParsedOptions): Destination | undefined {
  const kubeconfig = textOf(destinationKubeconfig);
  if (kubeconfig === undefined) return undefined;
  const patterns = Array.isArray(destinationContext) ? destinationContext.map(String) : [];
  return { kubeconfig, holds: (name) => name !== context && (all === true || matchesAny(name, patterns)) };
}

/** Adds the flags of the run to the command lines in a text. */
export type AddRunFlags = (text: string) => string;

/** @param commands the specs, by which command lines are known */
export function runFlagsAdder(flags: RunFlags, commands: readonly CommandSpec[]): AddRunFlags {
  const { kubeconfig, as, asGroup = [], ciliumNamespace, destination, elsewhere = new Map<string, string>() } = flags;
  const { skipChecks = [] } = flags;
  const given = [kubeconfig, as, ciliumNamespace, destination, ...asGroup, ...skipChecks].some(
    (flag) => flag !== undefined,
  );
  const identity = [...(as === undefined ? [] : ['--as', as]), ...asGroup.flatMap((group) => ['--as-group', group])];
  const identityFor = (rest: string) => (has(rest, 'as') || has(rest, 'as-group') ? [] : identity);
  const reaching = commands.filter(({ reachesClusters }) => reachesClusters);
  const paths = reaching.map(({ path }) => path.join(' ')).sort((a, b) => b.length - a.length);
  // What has come by here once has its flags.
  const line = new RegExp(
    `(?<!\\bKUBECONFIG=\\S* )\\b(?<command>meshctl (?:${paths.join('|')})|${KUBECTL})(?= |$)(?<rest>${WORDS})`,
    'gm',
  );
  const flagOf = new Map(reaching.map((spec) => [`meshctl ${spec.path.join(' ')}`, namespaceOptionOf(spec)]));
  // kubectl's lines name their namespace themselves.
  const namespaceFlag = (command: string, rest: string): string[] => {
    const flag = flagOf.get(command);
    if (!flag || ciliumNamespace === undefined || / (-n|--namespace|--cilium-namespace)[ =]/.test(rest)) return [];
    return [flag, ciliumNamespace];
  };
  const judging = new Set(reaching.filter(canSkipChecks).map(({ path }) => `meshctl ${path.join(' ')}`));
  // What one command goes past refuses the next one too.
  const skipFlag = (command: string, rest: string): string[] =>
    skipChecks.length === 0 || !judging.has(command) || has(rest, 'skip-checks')
      ? []
      : ['--skip-checks', skipChecks.join()];
  // Each once; the run's own, where it has none, is undefined.
  const kubeconfigsOf = (of: Pick<Line, 'command' | 'rest'>): (string | undefined)[] => {
    const contexts = [...contextsAfter('context', of), ...contextsAfter('destination-context', of)];
    return contexts.length === 0
      ? [kubeconfig]
      : [...new Set(contexts.map((name) => elsewhere.get(name) ?? kubeconfig))];
  };
  const addRunFlags = ({ command, rest, at }: Line): string => {
    if (has(rest, 'kubeconfig')) return command + rest;
    const isThere = at === 'there';
    const files = kubeconfigsOf({ command, rest });
    const path = isThere ? destination?.kubeconfig : at === 'here' && files.length === 1 ? files[0] : undefined;
    const others = PAIRING.test(command) && !isThere ? contextsAfter('destination-context', { command, rest }) : [];
    const access = [
      ...(path === undefined ? [] : ['--kubeconfig', path]),
      ...(destination && others.some(destination.holds) && !has(rest, 'destination-kubeconfig')
        ? ['--destination-kubeconfig', destination.kubeconfig]
        : []),
      ...(command === 'kubectl' && GRANT.test(rest) ? [] : identityFor(rest)),
      ...namespaceFlag(command, rest),
      ...skipFlag(command, rest),
    ];
    const together = at === 'both' && destination ? [kubeconfig, destination.kubeconfig] : at === 'here' ? files : [];
    const merged = together.length > 1 ? `${filesTogether(together)} ` : '';
    return merged + [command, ...access.map(shellWord)].join(' ') + rest;
  };
  return (text) => {
    // Of a pod's service account it is known only once the kubeconfig was looked for.
    const { unnamedContext } = flags;
    if (!given && unnamedContext === undefined && elsewhere.size === 0) return text;
    return text.replace(line, (_line: string, ...groups: unknown[]) => {
      const { command, rest } = groups.at(-1) as { command: string; rest: string };
      return linesFor(command, rest, destination)
        .map((one) => addRunFlags({ ...one, rest: withoutContext(one, unnamedContext) }))
        .join(' && ');
    });
  };
}

interface Line {
  command: string;
  /** With the space before it. */
  rest: string;
  /** Whose its contexts are: the run's kubeconfig's, the destinations', or of both. */
  at: 'here' | 'there' | 'both';
}

/** Kubeconfigs as one, as an assignment before a command. @param files undefined for that of the shell */
function filesTogether(files: readonly (string | undefined)[]): string {
  const named = files.flatMap((file) => file ?? []).join(':');
  return files.includes(undefined)
    ? `KUBECONFIG="\${KUBECONFIG:-$HOME/.kube/config}":${shellWord(named)}`
    : `KUBECONFIG=${shellWord(named)}`;
}

/**
 * The lines that do the same with one kubeconfig each: contexts of both are told one after the other, where they need not be
 * told together, and a pair is named from its source.
 */
function linesFor(command: string, rest: string, destination: Destination | undefined): Line[] {
  const contexts = contextsAfter('context', { command, rest });
  const there = destination ? contexts.filter(destination.holds) : [];
  if (there.length === 0) return [{ command, rest, at: 'here' }];
  const others = contextsAfter('destination-context', { command, rest });
  if (others.length > 0 && !others.some((name) => destination?.holds(name))) {
    const named = { command, rest: withContexts('context', { command, rest }, others) };
    const swapped = withContexts('destination-context', named, contexts);
    return [{ command, rest: swapped, at: 'here' }];
  }
  const here = contexts.filter((name) => !there.includes(name));
  if (here.length > 0 && BETWEEN.test(command)) return [{ command, rest, at: 'both' }];
  return [
    ...(here.length > 0
      ? [{ command, rest: withContexts('context', { command, rest }, here), at: 'here' as const }]
      : []),
    { command, rest: withContexts('context', { command, rest }, there), at: 'there' },
  ];
}

/** Whether a line says itself what the run would add. */
const has = (rest: string, flag: string) => new RegExp(` --${flag}[ =]`).test(rest);

/** The contexts that a flag names. */
function contextsAfter(flag: string, { command, rest }: Pick<Line, 'command' | 'rest'>): string[] {
  return contextsNamedBy(flag, command + rest);
}

/** Without `--context`, where that names only what is meant without it too. */
function withoutContext({ command, rest }: Line, context: string | undefined): string {
  const [only, ...others] = contextsAfter('context', { command, rest });
  if (context === undefined || others.length > 0 || only !== context) return rest;
  return rest.replace(/ --context (?:\\'|[^\s']|'[^']*')+/, '');
}

function withContexts(
  flag: string,
  { command, rest }: Pick<Line, 'command' | 'rest'>,
  contexts: readonly string[],
): string {
  const word = command === 'kubectl' ? contexts.join() : contextList(contexts);
  return rest.replace(flagWord(flag), () => shellWord(word));
}

/** The flag by which a command takes Cilium's namespace; undefined where it needs none. */
export function namespaceOptionOf({ options }: CommandSpec): '-n' | '--cilium-namespace' | undefined {
  if (options.some(({ flags }) => flags.startsWith('--cilium-namespace'))) return '--cilium-namespace';
  // Its own `-n` is about something else.
  return options.some(({ flags }) => flags.startsWith('-n,')) ? undefined : '-n';
}

/** Whether a command judges clusters by the compatibility checks, of which it can skip some. */
function canSkipChecks({ options }: CommandSpec): boolean {
  return options.some(({ flags }) => flags.startsWith('--skip-checks'));
}

/** A copy of plain data in which the command lines of every text have the flags of the run. */
export function withRunFlags<T>(data: T, addRunFlags: AddRunFlags): T {
  return withTexts(data, addRunFlags) as T;
}

/** A command's result with the flags of the run in its hints; what is printed raw is for programs, and stays. */
export function resultWithRunFlags(result: CommandResult, addRunFlags: AddRunFlags): CommandResult {
  return { ...result, data: withRunFlags(result.data, addRunFlags), text: (theme) => addRunFlags(result.text(theme)) };
}

/** Progress whose warnings and notes have the flags of the run in their hints. */
export function progressWithRunFlags(
  { start, warn, info }: CommandContext['progress'],
  addRunFlags: AddRunFlags,
): CommandContext['progress'] {
  return { start, warn: (text) => warn(addRunFlags(text)), info: (text) => info(addRunFlags(text)) };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
