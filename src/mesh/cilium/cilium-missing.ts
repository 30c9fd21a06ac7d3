import { recordedIdentity } from '../apiserver/recorded-identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { MeshctlError } from '../errors.ts';
import { keyOf } from '../objects/kube-object.ts';
import { agentDaemonSetRef, apiserverDeploymentRef, CILIUM_CONFIG } from '../objects/names.ts';

type Looked = Pick<ClusterSnapshot, 'context' | 'namespace'> &
  Partial<Pick<ClusterSnapshot, 'ciliumConfig' | 'agent' | 'objects' | 'tlsSecrets'>>;

/**
 * What to say of a cluster without ConfigMap cilium-config or DaemonSet cilium: there is no Cilium, or one that runs has lost
 * its configuration, over which nobody should install another.
 * @param namespaceFlag the flag of the command that names Cilium's namespace
 */
export function ciliumMissing(looked: Looked, namespaceFlag = '-n'): MeshctlError {
  const { context, namespace, ciliumConfig, agent, objects = new Map() } = looked;
  const traces = [agentDaemonSetRef(namespace), apiserverDeploymentRef(namespace)];
  if (ciliumConfig || !(agent || traces.some((ref) => objects.has(keyOf(ref))))) {
    const missing = ciliumConfig ? 'DaemonSet cilium' : `ConfigMap ${CILIUM_CONFIG}`;
    const message = `context "${context}": no Cilium in namespace ${namespace} (there is no ${missing})`;
    const hint = `Install Cilium first, or name its namespace with ${namespaceFlag}.`;
    return new MeshctlError('CiliumMissing', message, { hint, details: { context, namespace } });
  }
  return configurationLost(looked);
}

/** The same of a cluster of which it is known that Cilium runs there; what was read of it tells what was set. */
export function configurationLost(looked: Looked): MeshctlError {
  const { context, namespace, objects = new Map(), tlsSecrets = new Map() } = looked;
  const { name, id } = recordedIdentity({ namespace, objects, tlsSecrets });
  const was = [
    ...(name === undefined ? [] : [`cluster-name was "${name}"`]),
    ...(id === undefined ? [] : [`cluster-id was "${id}"`]),
  ];
  const message = `context "${context}": Cilium runs in namespace ${namespace}, but its ConfigMap ${CILIUM_CONFIG} is missing`;
  const hint =
    'Restore it from a backup, or as Cilium was installed (helm upgrade with --reuse-values writes it again); ' +
    `${was.length > 0 ? `${was.join(', ')}; ` : ''}do not reinstall Cilium over the one that runs.`;
  return new MeshctlError('CiliumMissing', message, { hint, details: { context, namespace } });
}
