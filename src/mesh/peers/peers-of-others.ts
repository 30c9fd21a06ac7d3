import {
  COMMAND_LINES,
  contextList,
  entriesOfList,
  meshctlCommand,
  shellWord,
  unnamedContext,
  unnamedIn,
} from '../command-line.ts';
import { capital, enumerated } from '../counted.ts';
import type { PeerEffect } from '../plan/peer-effects.ts';

const ROTATION = meshctlCommand('clustermesh certs rotate');
const CONTEXT = / --context ((?:\\'|[^\s']|'[^']*')+)/;
const DESTINATION = / --destination-context ((?:\\'|[^\s']|'[^']*')+)/;

/**
 * A next step for peers of another owner, whose context nobody here has and nobody here can name: where it connects them,
 * they are invited; what only they can do, they are to be asked for, in their words.
 * @param hint unchanged where it is about other peers, or where their contexts are known
 * @param context of the cluster that has the peers
 * @param peers of other owners, by name
 */
export function forOtherOwners(hint: string, context: string, peers: readonly string[] = []): string {
  const isTheirs = (text: string) => unnamedIn(text).some((name) => peers.includes(name));
  if (!isTheirs(hint)) return hint;
  return hint.replaceAll(CHAIN, (chain) =>
    inTurn(chain.split(' && ').map((line) => (isTheirs(line) ? forOwnersOf(line, context, peers) : line))),
  );
}

/** Effects of a plan, where what brings back peers of another owner is put as in {@link forOtherOwners}. */
export function mendsForOtherOwners(effects: readonly PeerEffect[], peers: readonly string[]): PeerEffect[] {
  return effects.map((effect) =>
    effect.mend === undefined ? effect : { ...effect, mend: forOtherOwners(effect.mend, effect.cluster, peers) },
  );
}

function forOwnersOf(line: string, context: string, peers: readonly string[]): string {
  const here = contextsIn(CONTEXT, line);
  const there = contextsIn(DESTINATION, line);
  const theirs = peers.filter((peer) => [...here, ...there].includes(unnamedContext(peer)));
  const isKnown = (name: string) => !theirs.some((peer) => name === unnamedContext(peer));
  if (there.length > 0) {
    const [from, to] = [here.filter(isKnown), there.filter(isKnown)];
    // A pair is named from either side.
    const inviting = from.length > 0 ? from : to.length > 0 ? to : [context];
    return [
      ...(from.length > 0 && to.length > 0 ? [withContexts(DESTINATION, line, to)] : []),
      ...theirs.flatMap((peer) =>
        inviting.map((one) => meshctlCommand('clustermesh invite', { context: one }, ['--peer', peer])),
      ),
    ].join(' && ');
  }
  const owners = theirs.map((peer) => `"${peer}"`).join(', ');
  const asked = `have the owner of ${owners} run "${theirWords(line)}" in their cluster`;
  const own = here.filter(isKnown);
  // What goes on together with clusters at hand goes on without theirs; a CA is refused then, with the way.
  if (own.length > 0 && line.startsWith(ROTATION)) return withContexts(CONTEXT, line, own);
  return own.length > 0 ? `${asked}, and here: ${withContexts(CONTEXT, line, own)}` : asked;
}

/**
 * What they run, by words and not as a command line: this run's flags are not for their cluster, and their context is theirs
 * to name. Of what shows one object, its owner's own check says more.
 */
function theirWords(line: string): string {
  if (line.startsWith('kubectl ')) return 'clustermesh check';
  return line.replace(CONTEXT, '').replace(/^meshctl /, '');
}

/** Command lines of which each goes on from the one before. */
const CHAIN = new RegExp(`${COMMAND_LINES.source}(?: && ${COMMAND_LINES.source})*`, 'g');

/**
 * A next step for peers to which no context of the kubeconfig leads, as has been looked up: what cannot be typed without one is said in
 * words.
 */
export function inWordsWhereUnled(hint: string): string {
  if (unnamedIn(hint).length === 0) return hint;
  return hint.replaceAll(CHAIN, (chain, offset: number) => {
    if (unnamedIn(chain).length === 0) return chain;
    const steps = chain.split(' && ').map((line) => (unnamedIn(line).length > 0 ? unledWords(line) : line));
    const words = inTurn(steps);
    const before = hint.slice(0, offset);
    const isSentence = before === '' || before.endsWith(' → ');
    const isLast = offset + chain.length === hint.length && !COMMAND_LINE.test(steps.at(-1) ?? '');
    return `${isSentence && !COMMAND_LINE.test(words) ? capital(words) : words}${isLast ? '.' : ''}`;
  });
}

/** Steps of which each goes on from the one before, as one text: a shell joins command lines, and words the rest. */
function inTurn(steps: readonly string[]): string {
  return steps.reduce((before, step) => {
    const isTyped = COMMAND_LINE.test(step);
    if (isTyped && COMMAND_LINE.test(before.split('; ').at(-1) ?? '')) return `${before} && ${step}`;
    return `${before}; then${isTyped ? ':' : ''} ${step}`;
  });
}

const COMMAND_LINE = new RegExp(`^(?:then: )?(?:${COMMAND_LINES.source})`);

/** @param line of which a context is not known */
function unledWords(line: string): string {
  const isUnled = (name: string) => unnamedIn(shellWord(name)).length > 0;
  const missing = line.startsWith('kubectl ') || contextsIn(CONTEXT, line).some(isUnled) ? 'context' : 'destination';
  const typed = line.startsWith('kubectl ') ? theirWords(line) : withoutUnled(line, isUnled);
  const isOneOfSeveral = contextsIn(missing === 'context' ? CONTEXT : DESTINATION, line).some((name) => !isUnled(name));
  const peers = unnamedIn(line);
  const [a, lead] = peers.length === 1 ? ['a ', 'leads'] : ['', 'lead'];
  const what = `${a}${missing === 'context' ? 'context' : '--destination-context'}${peers.length === 1 || missing !== 'context' ? '' : 's'}`;
  return `run "${typed}" with ${what} that ${lead} to ${enumerated(peers)}${isOneOfSeveral ? ' too' : ''}`;
}

/** A line as it goes on without `meshctl`, and without the contexts that are missing. */
function withoutUnled(line: string, isUnled: (name: string) => boolean): string {
  return [CONTEXT, DESTINATION]
    .reduce((rest, flag) => {
      const known = contextsIn(flag, rest).filter((name) => !isUnled(name));
      return known.length > 0 ? withContexts(flag, rest, known) : rest.replace(flag, '');
    }, line)
    .replace(/^meshctl /, '');
}

function contextsIn(flag: RegExp, line: string): string[] {
  const word = flag.exec(line)?.[1]?.replaceAll("'", '');
  if (word === undefined) return [];
  return line.startsWith('kubectl ') ? [word] : entriesOfList(word);
}

function withContexts(flag: RegExp, line: string, contexts: readonly string[]): string {
  return line.replace(flag, (word, value: string) => word.replace(value, () => shellWord(contextList(contexts))));
}
