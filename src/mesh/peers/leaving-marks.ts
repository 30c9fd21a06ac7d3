import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { keyOf } from '../objects/kube-object.ts';
import {
  AGENT_PEERS_SECRET,
  apiserverDeploymentRef,
  configMapRef,
  REMOTE_USERS_CONFIGMAP,
  secretRef,
} from '../objects/names.ts';
import { markChanges } from '../plan/diff.ts';
import type { Step } from '../plan/plan.ts';

/**
 * What `apply --prune` writes down of a peer that it is to disable, with the very write by which a cluster forgets that peer: a run that is
 * killed in between leaves a cluster that nobody knows any more, and the next one finds it by this. The value has the uids of the peer's
 * Deployment clustermesh-apiserver and of its list of users, which goes first ({@link leavingUid}): one that is enabled anew, or repaired by
 * enable, is not meant. It is taken away once the peer is disabled, or connected again.
 */
const PREFIX = 'meshctl.io/leaving.';

/** A peer that a cluster has forgotten, and that was to be disabled then. */
export interface LeavingMark {
  /** The context of the cluster that has it written down. */
  cluster: string;
  peer: string;
  /** What {@link leavingUid} said of it then. */
  uid: string;
}

type ClusterObjects = Pick<ClusterSnapshot, 'objects' | 'namespace'>;
type NamedObjects = ClusterObjects & Pick<ClusterSnapshot, 'context'>;

/** The peers of which a cluster has that written down. */
export function leavingMarks({ context, objects, namespace }: NamedObjects): LeavingMark[] {
  const { annotations = {} } = objects.get(keyOf(secretRef(namespace, AGENT_PEERS_SECRET)))?.metadata ?? {};
  return Object.entries(annotations).flatMap(([name, uid]) =>
    name.startsWith(PREFIX) ? [{ cluster: context, peer: name.slice(PREFIX.length), uid }] : [],
  );
}

/** What is written down of a cluster that is to be disabled; undefined where it has no Deployment any more. */
export function leavingUid({ objects, namespace }: ClusterObjects): string | undefined {
  const deployment = objects.get(keyOf(apiserverDeploymentRef(namespace)))?.metadata.uid;
  return deployment === undefined ? undefined : `${deployment}/${usersUid({ objects, namespace }) ?? ''}`;
}

/** Whether a cluster is the one of which that is written down, and is since as it was, or has less. */
export function isMeantBy(uid: string, cluster: ClusterObjects): boolean {
  const [deployment, users] = uid.split('/');
  const usersNow = usersUid(cluster);
  const isLess = usersNow === undefined || usersNow === users;
  return isLess && leavingUid(cluster)?.split('/')[0] === deployment;
}

function usersUid({ objects, namespace }: ClusterObjects): string | undefined {
  return objects.get(keyOf(configMapRef(namespace, REMOTE_USERS_CONFIGMAP)))?.metadata.uid;
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
export function clearLeaving(cluster: NamedObjects, peers: readonly string[]): Step | undefined {
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
