import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { kubectlCommand } from '../command-line.ts';
import { uncapital } from '../counted.ts';
import { describeRef, type ObjectRef } from '../objects/kube-object.ts';
import { APISERVER, CA_SECRET } from '../objects/names.ts';
import { foreignOwner, toolOf } from '../objects/ownership.ts';
import { groupBy } from '../pairs.ts';
import type { Step } from '../plan/plan.ts';
import { helmUpgradeCommand } from './helm/hand-over.ts';
import { STILL_NEEDED } from './plan-disable.ts';

/** What of a clustermesh-apiserver a disable leaves, by which the cluster has Cluster Mesh all the same. */
export interface StillEnabled {
  /** `Deployment kube-system/clustermesh-apiserver and Service … stay: made by Helm release cilium`. */
  says: string;
  /** What takes it away, as a hint. */
  hint: string;
}

/** What stays although it belongs to a mesh, for people: by owner, with what removes it. */
export function stayingNotes(snapshot: ClusterSnapshot, steps: readonly Step[]): string[] {
  return [...byOwner(keptByOthers(steps))].map(([owner, alike]) => {
    return `${saysStaying(alike, ', ', owner)}, ${uncapital(removalThere(snapshot, steps, alike))}`;
  });
}

/**
 * Why a cluster is not disabled once a plan of disable is carried out: what serves peers, or the address that they dial, belongs to
 * somebody else. Undefined where neither stays; what only goes with them, as an account or metrics, enables nothing.
 */
export function stillEnabled(snapshot: ClusterSnapshot, steps: readonly Step[]): StillEnabled | undefined {
  const kept = keptByOthers(steps).filter(({ object }) => serves(object));
  if (kept.length === 0) return undefined;
  const groups = [...byOwner(kept)];
  const says = groups.map(([owner, alike]) => {
    return saysStaying(alike, ' and ', owner);
  });
  const hints = groups.map(([, alike]) => removalThere(snapshot, steps, alike));
  return { says: says.join('; '), hint: hints.join('; ') };
}

function saysStaying(kept: readonly Step[], between: string, owner: string): string {
  const objects = kept.map(({ object }) => describeRef(object)).join(between);
  return `${objects} ${kept.length === 1 ? 'stays' : 'stay'}: made by ${owner}`;
}

function serves({ kind, name }: ObjectRef): boolean {
  return name === APISERVER && (kind === 'Deployment' || kind === 'Service');
}

/** One that nobody has marked stays, too. */
function keptByOthers(steps: readonly Step[]): Step[] {
  return steps.filter(
    ({ action, object, before }) =>
      action === 'keep' && object.name !== CA_SECRET && (foreignOwner(before) !== undefined || serves(object)),
  );
}

function byOwner(kept: readonly Step[]): ReadonlyMap<string, readonly Step[]> {
  return groupBy(kept, ({ before }) => foreignOwner(before) ?? 'someone else');
}

/** A hint: how the one who has made these objects takes them away. */
function removalThere(snapshot: ClusterSnapshot, steps: readonly Step[], kept: readonly Step[]): string {
  const them = kept.length === 1 ? 'it' : 'them';
  const made = kept.find(({ object }) => object.kind === 'Deployment')?.before ?? kept[0]?.before;
  const tools = kept.map(({ before }) => toolOf(before));
  if (kept.every(({ object }) => serves(object)) && tools.every((tool) => tool === undefined)) {
    const { context, namespace } = snapshot;
    const words = kept.map(({ object }) => `${object.kind.toLowerCase()}/${object.name}`);
    return `Remove ${them} there: ${kubectlCommand({ context, namespace }, ['delete', ...words])}`;
  }
  const { kind, name } = toolOf(made) ?? {};
  if (!made || kind !== 'helm' || name === undefined) return `Remove ${them} there`;
  const without = helmUpgradeCommand(snapshot, made, name, ['--set', 'clustermesh.useAPIServer=false']);
  const needed = steps.filter(({ why }) => why === STILL_NEEDED).map(({ object }) => describeRef(object));
  const again = needed.length > 0 ? ` (then disable again, which removes ${needed.join(', ')} too)` : '';
  return `Remove ${them} there${again}: ${without}`;
}
