import { recordedIdentity } from '../apiserver/recorded-identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { enumerated } from '../counted.ts';
import { MeshctlError } from '../errors.ts';
import { keyOf, type ObjectRef } from '../objects/kube-object.ts';
import { agentDaemonSetRef, apiserverDeploymentRef, CILIUM_CONFIG } from '../objects/names.ts';

type Looked = Pick<ClusterSnapshot, 'context' | 'namespace'> &
  Partial<Pick<ClusterSnapshot, 'ciliumConfig' | 'agent' | 'objects' | 'tlsSecrets'>>;

/**
 * What to say of a cluster without ConfigMap cilium-config or DaemonSet cilium: there is no Cilium, or one that is in use has
 * lost a part of itself, over which nobody should install another.
 * @param namespaceFlag the flag of the command that names Cilium's namespace
 */
export function ciliumMissing(looked: Looked, namespaceFlag = '-n'): MeshctlError {
  const { context, namespace, ciliumConfig, agent, objects = new Map() } = looked;
  const isThere = (ref: ObjectRef) => objects.has(keyOf(ref));
  const hasAgents = !ciliumConfig && (agent !== undefined || isThere(agentDaemonSetRef(namespace)));
  if (hasAgents || isThere(apiserverDeploymentRef(namespace))) return partLost(looked);
  const message = `context "${context}": no Cilium in namespace ${namespace} (there is no ${missingPart(looked)})`;
  const hint = `Install Cilium first, or name its namespace with ${namespaceFlag}.`;
  return new MeshctlError('CiliumMissing', message, { hint, details: { context, namespace } });
}

const missingPart = ({ ciliumConfig }: Looked) => (ciliumConfig ? 'DaemonSet cilium' : `ConfigMap ${CILIUM_CONFIG}`);

/** The same of a cluster of which it is known that Cilium is in use there; what was read of it tells what was set. */
export function partLost(looked: Looked): MeshctlError {
  const { context, namespace, ciliumConfig, objects = new Map(), tlsSecrets = new Map() } = looked;
  const { name, id } = ciliumConfig ? {} : recordedIdentity({ namespace, objects, tlsSecrets });
  const was = [
    ...(name === undefined ? [] : [`cluster-name was "${name}"`]),
    ...(id === undefined ? [] : [`cluster-id was "${id}"`]),
  ];
  const stands = ciliumConfig ? 'is in use' : 'runs';
  const message = `context "${context}": Cilium ${stands} in namespace ${namespace}, but its ${missingPart(looked)} is missing`;
  const hint =
    'Restore it from a backup, or as Cilium was installed (helm upgrade with --reuse-values writes it again); ' +
    `${was.length > 0 ? `${was.join(', ')}; ` : ''}do not reinstall Cilium over the one that runs.`;
  return new MeshctlError('CiliumMissing', message, { hint, details: { context, namespace } });
}

/** What is left of a mesh in a cluster in which there is no Cilium. */
export interface MeshRemains {
  namespace: string;
  /** The clustermesh-apiserver's, in words. */
  objects: readonly string[];
  /** Whom peering files lead to, by name. */
  peers: readonly string[];
  /** What the cluster was called, where its clustermesh-apiserver tells. */
  was?: { name: string; id: number } | undefined;
}

/** What to say of a cluster of a mesh from which Cilium is gone as a whole. */
export function ciliumGone(context: string, { namespace, objects, peers, was }: MeshRemains): MeshctlError {
  const left = [...objects, ...(peers.length > 0 ? [`peering files for ${peers.join(', ')}`] : [])];
  const identity = was ? ` (cluster-name was "${was.name}", cluster-id was "${was.id}")` : '';
  return new MeshctlError(
    'CiliumMissing',
    `context "${context}": no Cilium in namespace ${namespace} any more; still there: ${enumerated(left)}`,
    {
      hint:
        `Install Cilium again as it was${identity}, or, where the cluster is to leave the mesh, forget it at each of its peers by ` +
        'its name, and delete what is left here.',
      details: { context, namespace },
    },
  );
}
