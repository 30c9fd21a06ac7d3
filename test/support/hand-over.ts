import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { found } from './sandbox-mesh.ts';

const VERSIONS: Readonly<Record<string, [apiVersion: string, kind: string]>> = {
  deployment: ['apps/v1', 'Deployment'],
  clusterrole: ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
  clusterrolebinding: ['rbac.authorization.k8s.io/v1', 'ClusterRoleBinding'],
  serviceaccount: ['v1', 'ServiceAccount'],
  configmap: ['v1', 'ConfigMap'],
  service: ['v1', 'Service'],
  secret: ['v1', 'Secret'],
};

/** The object that `kubectl` calls so: `deployment/clustermesh-apiserver`. */
function refOfWord(word: string) {
  const [resource = '', name = ''] = word.split('/');
  const [apiVersion, kind] = found(VERSIONS[resource], resource);
  return { apiVersion, kind, name, ...(kind.startsWith('ClusterRole') ? {} : { namespace: 'kube-system' }) };
}

/**
 * Does what the printed commands do that hand objects over to Helm: `kubectl annotate … && kubectl label …`.
 * @param text in which they are printed
 * @returns the objects that each of the two names
 */
export function handOverAsPrinted({ name, store }: SandboxCluster, text: string): string[][] {
  return ['annotate', 'label'].map((verb) => {
    const line = new RegExp(`kubectl --context ${name} -n kube-system ${verb} --overwrite (.+?)(?: &&|\\n|$)`);
    const words = (line.exec(text)?.[1] ?? '').split(' ');
    const marks = Object.fromEntries(words.filter((word) => word.includes('=')).map((word) => word.split('=')));
    const objects = words.filter((word) => word.includes('/') && !word.includes('='));
    const field = verb === 'label' ? 'labels' : 'annotations';
    for (const object of objects) {
      const ref = refOfWord(object);
      const edit = ({ metadata }: KubeObject) => Object.assign(metadata, { [field]: { ...metadata[field], ...marks } });
      store.update(ref, edit, `kubectl-${verb}`);
    }
    return objects;
  });
}
