import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { MeshctlError } from '../errors.ts';
import { isOn } from './datapath.ts';
import { configureCommand, restartCommand } from './identity.ts';
import type { CiliumConfig } from './known-keys.ts';

/** The option by which agents write no CiliumEndpoints (Cilium's pkg/option, `DisableCiliumEndpointCRDName`). */
export const NO_ENDPOINTS = 'disable-endpoint-crd';

/**
 * Why peers get to know no pod of a cluster, as a clause: a clustermesh-apiserver has the addresses of pods and their identities
 * from CiliumEndpoints. Cilium's chart does not install the two together (templates/validate.yaml). Undefined where it has them.
 */
export function lackOfEndpoints(config: CiliumConfig): string | undefined {
  return isOn(config, NO_ENDPOINTS)
    ? `agents write no CiliumEndpoints (${NO_ENDPOINTS}), from which the clustermesh-apiserver has the addresses of pods: peers get none, and their policies by label drop what these pods send`
    : undefined;
}

/** What has agents write them: a sentence that ends with its command. */
export function endpointsHint(snapshot: Pick<ClusterSnapshot, 'context' | 'namespace' | 'objects'>): string {
  return `Have agents write them (Helm: --set disableEndpointCRD=false), and restart them: ${configureCommand(snapshot, { [NO_ENDPOINTS]: 'false' })} && ${restartCommand(snapshot)}`;
}

/**
 * Refuses a clustermesh-apiserver that would have no pods to tell of.
 * @throws MeshctlError `Incompatible`
 */
export function requireCiliumEndpoints(snapshot: ClusterSnapshot): void {
  const { context, namespace, ciliumConfig = {} } = snapshot;
  const reason = lackOfEndpoints(ciliumConfig);
  if (reason === undefined) return;
  throw new MeshctlError('Incompatible', `context "${context}": ${reason}`, {
    hint: endpointsHint(snapshot),
    details: { context, object: `ConfigMap ${namespace}/cilium-config`, key: NO_ENDPOINTS },
  });
}
