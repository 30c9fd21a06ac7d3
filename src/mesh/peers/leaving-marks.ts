import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { keyOf } from '../objects/kube-object.ts';
import { AGENT_PEERS_SECRET, secretRef } from '../objects/names.ts';
import { markChanges } from '../plan/diff.ts';
import type { Step } from '../plan/plan.ts';

/**
 * What `apply --prune` writes down of a peer that it is to disable, with the very write by which a cluster forgets that peer: a run that is
 * killed in between leaves a cluster that nobody knows any more, and the next one finds it by this. The value is the uid of the peer's
 * Deployment clustermesh-apiserver: one that is enabled anew is not meant. It is taken away once the peer is disabled.
 */
const PREFIX = 'meshctl.io/leaving.';

/** A peer that a cluster has forgotten, and that was to be disabled then. */
export interface LeavingMark {
  /** The context of the cluster that has it written down. */
  cluster: string;
  peer: string;
  uid: string;
}

type ClusterObjects = Pick<ClusterSnapshot, 'context' | 'objects' | 'namespace'>;

/** The peers of which a cluster has that written down. */
export function leavingMarks({ context, objects, namespace }: ClusterObjects): LeavingMark[] {
  const { annotations = {} } = objects.get(keyOf(secretRef(namespace, AGENT_PEERS_SECRET)))?.metadata ?? {};
  return Object.entries(annotations).flatMap(([name, uid]) =>
    name.startsWith(PREFIX) ? [{ cluster: context, peer: name.slice(PREFIX.length), uid }] : [],
  );
}

/** The annotation for a peer; null takes it away. */
export function leavingMark(peer: string, uid: string | null): Record<string, string | null> {
  return { [`${PREFIX}${peer}`]: uid };
}

/** Of annotations that are set, those that are such marks. */
export function leavingIn(marks: Readonly<Record<string, string | null>>): { peer: string; isSet: boolean }[] {
  return Object.entries(marks).flatMap(([name, value]) =>
    name.startsWith(PREFIX) ? [{ peer: name.slice(PREFIX.length), isSet: value !== null }] : [],
  );
}

/** Takes the marks of peers out of a cluster; undefined where it has no Secret for them. Without changes where none is there yet. */
export function clearLeaving(cluster: ClusterObjects, peers: readonly string[]): Step | undefined {
  const object = secretRef(cluster.namespace, AGENT_PEERS_SECRET);
  const before = cluster.objects.get(keyOf(object));
  if (!before) return undefined;
  const present = leavingMarks(cluster).filter(({ peer }) => peers.includes(peer));
  const marks = Object.assign({}, ...present.map(({ peer }) => leavingMark(peer, null))) as Record<string, null>;
  return {
    ...{ cluster: cluster.context, object, before, action: 'update', changes: markChanges(before, marks) },
    why: `${peers.join(', ')} ${peers.length === 1 ? 'has' : 'have'} left`,
    write: {
      method: 'edit',
      edit: ({ metadata: { annotations = {} } }) => {
        const all = Object.assign({}, ...peers.map((peer) => leavingMark(peer, null))) as Record<string, null>;
        const there = Object.fromEntries(Object.entries(all).filter(([name]) => name in annotations));
        return Object.keys(there).length > 0 ? { patch: { metadata: { annotations: there } } } : undefined;
      },
    },
  };
}
