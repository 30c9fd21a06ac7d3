import { type FirstLook, isSameCluster, sameButForLogin } from '../../flows/targets/first-look.ts';
import type { Unanswered } from '../../flows/where-it-succeeds.ts';
import { ciliumGone, partLost } from '../../mesh/cilium/cilium-missing.ts';
import type { MeshctlError } from '../../mesh/errors.ts';
import type { CommandContext } from '../command.ts';
import { absenceOf, wrongNamespace } from './absent-cilium.ts';

/** A cluster that could not be asked, with why. */
export interface SilentCluster {
  context: string;
  error: MeshctlError;
  /** Its API server, as far as the kubeconfig says. */
  server: string | undefined;
  /** Open, with the namespace that was given, else the usual one; absent where the kubeconfig does not say how to open it. */
  target?: FirstLook | undefined;
}

/** The clusters of a choice, each of them once. */
export interface Found {
  answered: readonly FirstLook[];
  silent: readonly SilentCluster[];
}

/** Whether all that there is was left out, or no cluster has Cilium in the namespace that was given. */
export function isNone({ answered, silent }: Found): boolean {
  return answered.length === 0 && silent.every(isElsewhere);
}

/** Whether a cluster is not asked only since a namespace was given in which it has no Cilium: it answers. */
export function isElsewhere({ target }: Pick<SilentCluster, 'target'>): boolean {
  return target?.elsewhere !== undefined;
}

/**
 * Each cluster once; with `all`, those that run Cilium. One of which that is not known, that has lost its configuration, or that has
 * Cilium in another namespace than the one that was given, is there as one that cannot be asked.
 * @param before what was seen at earlier looks
 * @throws MeshctlError `Usage` where Cilium is not in the namespace that was given
 */
export function eachOnce(
  context: CommandContext,
  fresh: readonly (FirstLook | SilentCluster)[],
  all: boolean,
  before: Found = { answered: [], silent: [] },
): Found {
  const answered = [...before.answered];
  const vain: SilentCluster[] = [];
  const same = (look: FirstLook) =>
    [...answered, ...vain.flatMap(({ target = [] }) => target)].find((other) => isSameCluster(other, look));
  const looks = fresh.flatMap((look) => ('error' in look ? [] : [look]));
  const judged = looks.map((look) => ({ look, silent: all ? askedInVain(context, look) : undefined }));
  // Another context of the cluster may see more.
  for (const { look, silent } of [...judged.filter((one) => !one.silent), ...judged.filter((one) => one.silent)]) {
    const name = look.client.context;
    const first = same(look);
    if (first) {
      const used = `"${first.client.context}"`;
      context.progress.warn(`contexts ${used} and "${name}" are the same cluster: ${used} is used`);
      if (all) context.leftOut.set(name, `${used} is the same cluster`);
    } else if (silent) vain.push(silent);
    else if (all && look.cluster === undefined) leaveOut(context, name, absenceOf(look));
    else answered.push(look);
  }
  const unnamed = answered.filter(
    (look) => looks.includes(look) && look.uid === undefined && look.config?.metadata.uid === undefined,
  );
  if (before.answered.length + fresh.length > 1 && unnamed.length > 0) {
    const names = unnamed.map(({ client }) => `"${client.context}"`).join(', ');
    context.progress.warn(
      `context ${names}: namespace kube-system may not be read, so contexts of the same cluster are recognised by its address only`,
    );
  }
  const seen = [...before.answered, ...looks];
  const silent = fresh.flatMap((look) => {
    if (!('error' in look)) return [];
    const other = all ? sameButForLogin(look, seen) : undefined;
    if (!other || !answered.includes(other)) return [look];
    leaveOut(context, look.context, `${look.error.message}; "${other.client.context}" leads to the same server`);
    return [];
  });
  const astray = all ? [] : answered.filter(({ elsewhere }) => elsewhere !== undefined);
  if (astray.length > 0) throw wrongNamespace(context, astray);
  return { answered, silent: [...before.silent, ...silent, ...vain] };
}

/** The same look, where there is a cluster that cannot be asked, or may be; undefined where it tells what there is. */
function askedInVain(run: CommandContext, look: FirstLook): SilentCluster | undefined {
  if (look.cluster !== undefined && !look.elsewhere) return undefined;
  const { context, server } = look.client;
  const error = whyInVain(run, look);
  return error && { context, error, server, target: look };
}

function whyInVain(run: CommandContext, look: FirstLook): MeshctlError | undefined {
  const { client, namespace, isConfigLost, unseen, elsewhere, remains } = look;
  const { context } = client;
  if (elsewhere) return wrongNamespace(run, [look]);
  if (isConfigLost) return partLost({ context, namespace });
  return remains ? ciliumGone(context, remains) : unseen;
}

/** For commands that are not about the clusters that are left out. */
export function quietly(context: CommandContext): CommandContext {
  return { ...context, leftOut: new Map(), progress: { ...context.progress, warn: () => undefined } };
}

/** Says that a context is not part of a run, and is missing from nothing by that: the document has it too. */
function leaveOut(context: CommandContext, name: string, why: string): void {
  context.leftOut.set(name, sayLeaving(context, name, why));
}

/** @returns the reason as a clause about the context */
function sayLeaving({ progress }: CommandContext, name: string, why: string): string {
  const sentence = why.replace(`context "${name}": `, '').replace(`context "${name}" names`, 'it names');
  progress.warn(`context "${name}" is left out: ${sentence}`);
  return sentence;
}

/** Says of clusters that were found and cannot be asked that they are not part of a run, and why: its result names them. */
export function sayLeftOut(context: CommandContext, clusters: readonly Unanswered[]): void {
  for (const { context: name, error } of clusters) sayLeaving(context, name, error.message);
}
