/**
 * Command lines that an operator is told to type. Whatever they name (contexts, files, peers) is quoted for a POSIX shell,
 * so that a line can be typed as it is printed. The flags by which this very run reached its clusters (--kubeconfig, --as,
 * a namespace that was given) are not added here: the cli room completes every line of a result with them, once.
 */

const UNITS_MS: readonly (readonly [unit: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
  ['ms', 1],
];

/** A span as flags take it, to the millisecond: `90d`, `36h`, `90m`. */
export function spanWord(spanMs: number): string {
  const ms = Math.round(spanMs);
  const [unit, of] = UNITS_MS.find(([, size]) => ms % size === 0) ?? ['ms', 1];
  return `${ms / of}${unit}`;
}

/** The command lines in a text, each up to what joins or ends commands. */
export const COMMAND_LINES = /(?:meshctl|kubectl)(?: (?!&& |\|\| |→)(?:\\'|[^\s';|]|'[^']*')+)+/g;

/** Where a command is to be run. */
export interface CommandPlace {
  /** Kubeconfig contexts; several are for meshctl only. */
  context?: string | readonly string[] | undefined;
  /** For kubectl, which does not find Cilium's namespace by itself. */
  namespace?: string | undefined;
}

/** A word as a POSIX shell takes it for this very text. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Contexts as one word of a flag that takes several: `a,b`, where a comma within a name is written `\,`. */
export function contextList(contexts: readonly string[]): string {
  return contexts.map((name) => name.replaceAll(',', '\\,')).join(',');
}

/** The entries of such a word. */
export function entriesOfList(text: string): string[] {
  return text.split(/(?<!\\),/).map((entry) => entry.replaceAll('\\,', ','));
}

/** The word that a flag takes in a command line, with the shell's quotes. */
export const flagWord = (flag: string): RegExp => new RegExp(`(?<= --${flag} )(?:\\\\'|[^\\s']|'[^']*')+`);

/** The contexts that a flag of a command line names, without the shell's quotes: kubectl takes one, whatever is in its name. */
export function contextsNamedBy(flag: string, line: string): string[] {
  const [word] = flagWord(flag).exec(line) ?? [];
  const text = word?.replaceAll(
    /'([^']*)'|\\(')/g,
    (_all, quoted: string | undefined, quote: string) => quoted ?? quote,
  );
  if (text === undefined) return [];
  return line.startsWith('kubectl ') ? [text] : entriesOfList(text);
}

/** All contexts that a command line names, those that it connects to among them. */
export const contextsIn = (line: string): string[] =>
  ['context', 'destination-context'].flatMap((flag) => contextsNamedBy(flag, line));

/**
 * `meshctl clustermesh enable --context a,b --replicas 2`.
 * @param command its path, e.g. `clustermesh enable`
 * @param words arguments and flags, one word each; `<context of mesh-2>` stands for what nobody but the operator knows
 */
export function meshctlCommand(command: string, { context }: CommandPlace = {}, words: readonly string[] = []): string {
  const contexts = context === undefined ? [] : typeof context === 'string' ? [context] : context;
  const flags = contexts.length > 0 ? ['--context', contextList(contexts)] : [];
  return ['meshctl', command, ...[...flags, ...words].map(shellWord)].join(' ');
}

/**
 * `meshctl clustermesh connect --context a --destination-context b,c`.
 * @param to contexts
 * @param more further words
 */
export function connectCommand(
  context: string | undefined,
  to: string | readonly string[],
  more: readonly string[] = [],
): string {
  return meshctlCommand('clustermesh connect', { context }, [
    '--destination-context',
    contextList([to].flat()),
    ...more,
  ]);
}

/** The flag by which `clustermesh connect` joins every pair of so many clusters; two need none. */
export function everyPairFlag(clusters: number): string[] {
  return clusters > 2 ? ['--connection-mode', 'mesh'] : [];
}

/** `kubectl --context a -n kube-system get pods`. @param words one word each */
export function kubectlCommand({ context, namespace }: CommandPlace, words: readonly string[]): string {
  const flags = [
    ...(typeof context === 'string' ? ['--context', context] : []),
    ...(namespace === undefined ? [] : ['-n', namespace]),
  ];
  return ['kubectl', ...[...flags, ...words].map(shellWord)].join(' ');
}

/**
 * `kubectl --context a -n kube-system describe deployment/clustermesh-apiserver`: for one object as kind/name, since kubectl
 * takes a name alone for the beginning of names where there is no such object.
 * @param kind e.g. `service`
 */
export function describeCommand(
  place: CommandPlace,
  kind: string,
  of: { readonly name: string } | { readonly selector: string },
): string {
  return kubectlCommand(place, ['describe', ...('name' in of ? [`${kind}/${of.name}`] : [kind, '-l', of.selector])]);
}

/**
 * The command line that makes a role or a binding, also where one is there that lacks something: it can be typed twice.
 * @param words as behind `kubectl create`
 */
export function grantCommand(place: CommandPlace, words: readonly string[]): string {
  const rendered = kubectlCommand(place, ['create', ...words, '--dry-run=client', '-o', 'yaml']);
  return `${rendered} | ${kubectlCommand(place, ['auth', 'reconcile', '-f', '-'])}`;
}

/** What stands in a command line for the context of a cluster that only the operator knows. @param cluster its name */
export function unnamedContext(cluster: string): string {
  return `<context of ${cluster}>`;
}

const UNNAMED = /'[^']*<context of [^>']+>[^']*'/g;
const UNNAMED_PEER = /<context of ([^>']+)>/g;

/** The cluster of another owner that stands in for a context, known by a message alone: it has none here. */
export function ownedElsewhere(context: string): string | undefined {
  return unnamedIn(shellWord(context))[0];
}

/** The clusters whose context a command line in a text leaves to the operator, by name. */
export function unnamedIn(text: string): string[] {
  const words = text.match(UNNAMED) ?? [];
  return [...new Set(words.flatMap((word) => [...word.matchAll(UNNAMED_PEER)].flatMap(([, peer]) => peer ?? [])))];
}

/** A text whose command lines name the contexts that have become known. @param contexts by cluster name */
export function withNamedContexts(text: string, contexts: ReadonlyMap<string, string>): string {
  return text.replaceAll(UNNAMED, (word) =>
    shellWord(word.slice(1, -1).replaceAll(UNNAMED_PEER, (unknown, peer: string) => contexts.get(peer) ?? unknown)),
  );
}

/** The next step where a command that looks at several clusters was given one. @param words of the command, without the clusters */
export function nameOthers(...words: readonly string[]): string {
  return `Name the others with --context too, or take all that run Cilium: ${meshctlCommand(words[0] ?? '', {}, [...words.slice(1), '--all'])}`;
}
