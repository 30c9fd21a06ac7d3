import type { CommandContext, CommandResult, CommandSpec, ParsedOptions } from '../commands/command.ts';
import { shellWord } from '../mesh/command-line.ts';

/** By what this run reached its clusters: a command that it tells the operator to type needs the same. */
export interface RunFlags {
  kubeconfig?: string | undefined;
  /** Cilium's namespace, where one was given. */
  ciliumNamespace?: string | undefined;
  as?: string | undefined;
  asGroup?: readonly string[] | undefined;
}

const STANDARD_NAMESPACE = 'kube-system';
/** A command of kubectl, as opposed to a word about it. */
const KUBECTL =
  'kubectl(?= (?:--?[a-z][a-z-]*|annotate|apply|create|delete|describe|edit|exec|get|label|logs|patch|rollout|scale)\\b)';

/** The flags of a run. In the service commands and the connectivity test, `-n` is not Cilium's namespace. */
export function runFlagsOf({ kubeconfig, as, asGroup, namespace, ciliumNamespace }: ParsedOptions): RunFlags {
  const cilium = ciliumNamespace ?? namespace;
  return {
    kubeconfig: textOf(kubeconfig),
    as: textOf(as),
    asGroup: Array.isArray(asGroup) ? asGroup.map(String) : undefined,
    ciliumNamespace: cilium === STANDARD_NAMESPACE ? undefined : textOf(cilium),
  };
}

/** Makes command lines in a text complete. */
export type Completion = (text: string) => string;

/** @param commands the specs, by which command lines are known */
export function completionFor(flags: RunFlags, commands: readonly CommandSpec[]): Completion {
  const { kubeconfig, as, asGroup = [], ciliumNamespace } = flags;
  const access = [
    ...(kubeconfig === undefined ? [] : ['--kubeconfig', kubeconfig]),
    ...(as === undefined ? [] : ['--as', as]),
    ...asGroup.flatMap((group) => ['--as-group', group]),
  ];
  if (access.length === 0 && ciliumNamespace === undefined) return (text) => text;
  const reaching = commands.filter(({ reachesClusters }) => reachesClusters);
  const paths = reaching.map(({ path }) => path.join(' ')).sort((a, b) => b.length - a.length);
  // Up to the next command, the end of the line or of the sentence.
  const line = new RegExp(`\\b(?:meshctl (?:${paths.join('|')})|${KUBECTL})(?= |$)(?=(?<rest>[^\\n;|]*))`, 'gm');
  return (text) =>
    text.replace(line, (command: string, ...groups: unknown[]) => {
      const { rest } = groups.at(-1) as { rest: string };
      const [own = ''] = rest.split(/&& |→/);
      if (/ --kubeconfig[ =]/.test(own)) return command;
      const namespace = namespaceFlag(command, own, ciliumNamespace);
      return [command, ...[...access, ...namespace].map(shellWord)].join(' ');
    });
}

/** Service commands keep `-n` for the Services; kubectl's lines name their namespace themselves. */
function namespaceFlag(command: string, own: string, namespace: string | undefined): string[] {
  if (namespace === undefined || command === 'kubectl' || / (-n|--namespace|--cilium-namespace)[ =]/.test(own))
    return [];
  return [command.startsWith('meshctl service ') ? '--cilium-namespace' : '-n', namespace];
}

/** A copy of plain data in which every text is complete. */
export function completed<T>(data: T, complete: Completion): T {
  const walk = (value: unknown): unknown => {
    if (typeof value === 'string') return complete(value);
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, walk(entry)]));
  };
  return walk(data) as T;
}

/** The same for a command's result; what is printed raw is for programs. */
export function completeData(result: CommandResult, complete: Completion): CommandResult {
  return { ...result, data: completed(result.data, complete), text: (theme) => complete(result.text(theme)) };
}

/** The same for what is said on the way. */
export function completeProgress(
  { start, warn, info }: CommandContext['progress'],
  complete: Completion,
): CommandContext['progress'] {
  return { start, warn: (text) => warn(complete(text)), info: (text) => info(complete(text)) };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
