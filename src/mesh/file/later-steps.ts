import {
  AGENT_PEERS_SECRET,
  configMapRef,
  KVSTOREMESH_PEERS_SECRET,
  REMOTE_USERS_CONFIGMAP,
  secretRef,
} from '../objects/names.ts';
import type { Step } from '../plan/plan.ts';
import type { NamedDial } from './topology.ts';

/** A cluster as enable leaves it, by the name that the file has. */
export interface LaterCluster {
  name: string;
  context: string;
  namespace: string;
  /** Whether it dials through KVStoreMesh by then. */
  kvstoremesh: boolean;
}

/**
 * What dials write that are planned only once their clusters are enabled: in which objects, and for whom. At which addresses, by which
 * certificates, and whether anything else changes for those, the run tells: there are no changes to show.
 */
export function laterSteps(later: readonly NamedDial[], clusters: readonly LaterCluster[]): Step[] {
  return clusters.flatMap(({ name, context: cluster, namespace, kvstoremesh }): Step[] => {
    const peers = (of: readonly string[]) => [...new Set(of)].join(', ');
    const letIn = peers(later.flatMap(({ from, to }) => (to === name ? [from] : [])));
    const dialled = peers(later.flatMap(({ from, to }) => (from === name ? [to] : [])));
    const base = { cluster, action: 'update', changes: [] } as const;
    const users = configMapRef(namespace, REMOTE_USERS_CONFIGMAP);
    const ofAgents = secretRef(namespace, AGENT_PEERS_SECRET);
    const ofKvstoremesh = secretRef(namespace, KVSTOREMESH_PEERS_SECRET);
    const dialling: Step[] = kvstoremesh
      ? [
          { ...base, object: ofKvstoremesh, why: `dials ${dialled}`, whyOfMany: DIALS },
          {
            ...base,
            object: ofAgents,
            why: `agents read ${dialled} from KVStoreMesh`,
            whyOfMany: 'agents read peers from KVStoreMesh',
          },
        ]
      : [{ ...base, object: ofAgents, why: `dials ${dialled}`, whyOfMany: DIALS }];
    return [
      ...(letIn === '' ? [] : [{ ...base, object: users, why: `lets ${letIn} in`, whyOfMany: 'lets peers in' }]),
      ...(dialled === '' ? [] : dialling),
    ];
  });
}

const DIALS = 'dials peers';
