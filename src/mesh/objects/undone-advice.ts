import { FIELD_MANAGER } from '../plan/plan.ts';
import { describeRef, type KubeObject, refOf } from './kube-object.ts';
import { managersOfData, ownerBySync, toolOwner } from './ownership.ts';
import { type JoiningPeer, lastingPeers, sourceEdits } from './source-advice.ts';

/** What a run has written or taken away, and does not find so any more. */
export interface Undone {
  context: string;
  /** As in messages: `user remote-mesh-2 in ConfigMap kube-system/clustermesh-remote-users`. */
  says: string;
  /** The object as it is now, where it is there. */
  live: KubeObject | undefined;
  /** Of an object that holds peers: who is to be there, or who is not. */
  peers?: { with: readonly JoiningPeer[] } | { without: readonly string[] } | undefined;
  /** The fields, as in changes, where it is about some. */
  fields?: readonly string[] | undefined;
}

/** Who makes what has been undone, and what to edit there; else who wrote it, as far as it tells. */
export function undoneAdvice(all: readonly Undone[]): string {
  const known = [...new Set(all.flatMap((one) => adviceOf(one) ?? []))];
  if (known.length > 0) return known.join('; ');
  const writers = [...new Set(all.flatMap(({ live }) => (live ? managersOfData(live) : [])))];
  const others = writers.filter((manager) => manager !== FIELD_MANAGER);
  const who = others.length > 0 ? ` (${others.join(', ')} wrote there)` : '';
  const clusters = new Set(all.map(({ context }) => context)).size > 1 ? 'these clusters' : 'this cluster';
  return `Find out who else changes ${clusters}${who}, then run the same command again.`;
}

function adviceOf({ context, live, peers, fields = [] }: Undone): string | undefined {
  if (!live) return undefined;
  const owner = peers ? ownerBySync(live) : toolOwner(live);
  if (owner === undefined) return undefined;
  const made = `${owner} makes ${describeRef(refOf(live))}`;
  if (peers) {
    const lasting =
      'with' in peers
        ? lastingPeers(
            context,
            live,
            peers.with.map(({ name }) => name),
            'with',
            peers.with,
          )
        : lastingPeers(context, live, peers.without, 'without');
    return `${made}: ${lasting}`;
  }
  if (fields.length === 0) return `${made}, and makes it again as long as its source has it`;
  const edits = sourceEdits([
    {
      cluster: context,
      action: 'update',
      object: refOf(live),
      changes: [],
      why: '',
      before: live,
      conflicts: fields.map((path) => ({ path, manager: owner })),
    },
  ]);
  return `${made}: ${edits === undefined ? `its source must have ${fields.join(', ')} as this run has written it` : `set ${edits}`}`;
}
