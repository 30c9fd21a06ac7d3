import { COMMAND_LINES, kubectlCommand, meshctlCommand } from '../command-line.ts';
import type { ObjectRef } from '../objects/kube-object.ts';
import { APISERVER, APISERVER_SELECTOR } from '../objects/names.ts';

/** What a rollback has taken from a cluster. */
export interface TakenBack {
  context: string;
  /** What was not there before the run. */
  removed: readonly ObjectRef[];
  /** What was there before, otherwise than the run had it. */
  restored: readonly ObjectRef[];
}

/**
 * A hint without the commands that would look at, or take back, what is no more there: an object that a rollback has removed, or pods of the
 * clustermesh-apiserver, which went with their Deployment as the run had it. What stands before them stays, as far as it is whole
 * sentences, and what comes instead is how the object is there to be looked at.
 * @param canStay whether the command leaves with --no-rollback what it has made
 */
export function hintAfterRollback(hint: string, taken: readonly TakenBack[], canStay: boolean): string {
  const commands = [...hint.matchAll(COMMAND_LINES)];
  const vain = commands.find(([command]) => taken.some((one) => looksAt(command, one) || takesBackAgain(command, one)));
  if (!vain) return hint;
  const before = hint.slice(0, vain.index);
  const isOfSettings = taken.some((one) => takesBackAgain(vain[0], one));
  const kept = isOfSettings
    ? 'Change what was --set on its pods, if that is why.'
    : before.slice(0, before.lastIndexOf('. ') + 1);
  const way = canStay ? ': with --no-rollback the same command leaves it, to be looked at' : ', and its pods with it';
  return [kept, `What this run made there is taken back${way}.`].filter((words) => words !== '').join(' ');
}

function looksAt(command: string, { context, removed, restored }: TakenBack): boolean {
  const there = kubectlCommand({ context }, []);
  if (!beginsWith(command, there)) return false;
  const words = command.split(' ');
  const areServersPodsGone = [...removed, ...restored].some(isServer) && words.includes(APISERVER_SELECTOR);
  const isNamed = ({ kind, name }: ObjectRef) => words.includes(`${kind.toLowerCase()}/${name}`);
  return areServersPodsGone || removed.some(isNamed);
}

/** Whether it takes out settings that are as they were before the run. */
function takesBackAgain(command: string, { context, removed, restored }: TakenBack): boolean {
  const enable = meshctlCommand('clustermesh enable', { context });
  return beginsWith(command, enable) && command.includes(' --unset ') && [...removed, ...restored].some(isServer);
}

function isServer({ kind, name }: ObjectRef): boolean {
  return kind === 'Deployment' && name === APISERVER;
}

/** Whether a command line has these words first, and more behind them. */
function beginsWith(command: string, words: string): boolean {
  return command.startsWith(words) && command.charAt(words.length) === ' ';
}
