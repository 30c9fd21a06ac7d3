import { apiserverDeployment } from '../apiserver/live.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { CILIUM_CONFIG } from '../objects/names.ts';
import { templateSpec } from '../objects/workload.ts';
import { type CiliumVersion, isSince, minorOf, versionOfAgents } from './versions/versions.ts';

/**
 * Where Cilium may keep a cluster's state: meshctl joins clusters whose identities are in CRDs, and whose clustermesh-apiserver has an
 * etcd of its own. Modes that write both, by which a cluster is moved from one to the other, have them in CRDs too: Cilium's chart
 * deploys the clustermesh-apiserver with them (install/kubernetes/cilium/templates/_helpers.tpl, `identityAllocationCRD`).
 */
const IN_CRDS = ['crd', 'doublewrite-readkvstore', 'doublewrite-readcrd'];

/** The one in which they are in a kvstore alone. */
const IN_KVSTORE = 'kvstore';

/** From here on there are modes that write both (pkg/option/config.go). */
const DOUBLE_WRITE_SINCE: CiliumVersion = { major: 1, minor: 17, patch: 0, suffix: '' };

/** By which a cluster is moved, and what is supported, in one place. */
const STEPS = `meshctl joins clusters whose identities are in CRDs and that serve peers from an etcd of their clustermesh-apiserver. Which steps bring a cluster there while it runs: ${meshctlCommand('explain', {}, ['cluster-identity'])}`;

type Looked = Pick<ClusterSnapshot, 'ciliumConfig' | 'agent' | 'objects' | 'namespace' | 'context'>;

/** Why a cluster cannot be a member, for where its state is. */
export interface KvstoreRefusal {
  /** A clause about the cluster. */
  says: string;
  hint: string;
}

/** Why a cluster that keeps its state in a kvstore, or serves it from one, cannot be a member; undefined for any other. */
export function kvstoreRefusal(snapshot: Looked): KvstoreRefusal | undefined {
  const says = (text: string) => ({ says: text, hint: STEPS });
  const unknown = unknownModeRefusal(snapshot);
  if (unknown) return unknown;
  const mode = modeOf(snapshot);
  if (!IN_CRDS.includes(mode)) {
    return says(`Cilium keeps its state in an external kvstore (identity-allocation-mode: ${mode})`);
  }
  if (!servesFromKvstore(snapshot)) return undefined;
  return says(
    'its KVStoreMesh writes to an external etcd (Helm: clustermesh.apiserver.kvstoremesh.kvstoreMode=external), so its clustermesh-apiserver has none that peers could dial',
  );
}

/**
 * A mode that Cilium does not know: agents that run go on, and none that starts comes up ("Invalid identity allocation mode",
 * pkg/option/config.go). Undefined for any other.
 */
export function unknownModeRefusal(snapshot: Looked): KvstoreRefusal | undefined {
  const mode = modeOf(snapshot);
  const version = versionOfAgents(snapshot.agent);
  const isKnown = [...IN_CRDS, IN_KVSTORE, ''].includes(mode);
  const isTooNew = isKnown && mode.startsWith('doublewrite') && version && !isSince(version, DOUBLE_WRITE_SINCE);
  if (isKnown && !isTooNew) return undefined;
  const { context, namespace } = snapshot;
  const patch = JSON.stringify({ data: { 'identity-allocation-mode': 'crd' } });
  const set = kubectlCommand({ context, namespace }, [
    ...['patch', 'configmap', CILIUM_CONFIG, '--type', 'merge', '--patch', patch],
  ]);
  const who = isTooNew ? `Cilium ${minorOf(version)} does not know` : 'Cilium knows no';
  return {
    says: `${who} identity-allocation-mode ${mode}, and no agent that starts comes up`,
    hint: `Set the one that it had (Helm: identityAllocationMode), which without an external kvstore is crd: ${set}`,
  };
}

function modeOf({ ciliumConfig }: Pick<Looked, 'ciliumConfig'>): string {
  return ciliumConfig?.['identity-allocation-mode'] ?? 'crd';
}

/**
 * Whether KVStoreMesh writes to the kvstore of Cilium, which peers dial, instead of to an etcd beside it: then it is told of it by
 * cilium-config, and has neither etcd nor what fills that beside it (Cilium's chart, `kvstoreMode: external`, from 1.17 on).
 */
export function servesFromKvstore(snapshot: Pick<ClusterSnapshot, 'objects' | 'namespace'>): boolean {
  const deployment = apiserverDeployment(snapshot);
  if (!deployment) return false;
  const { containers = [], volumes = [] } = templateSpec(deployment);
  const isAlone = containers.length > 0 && !containers.some(({ name }) => name === 'etcd' || name === 'apiserver');
  return isAlone && volumes.some(({ configMap }) => configMap?.name === 'cilium-config');
}

/** Refuses a cluster that cannot be a member for where its state is. @throws MeshctlError `ClusterIdentity` */
export function requireStateInCrds(snapshot: Looked & Pick<ClusterSnapshot, 'context'>): void {
  const refusal = kvstoreRefusal(snapshot);
  if (!refusal) return;
  const { context, namespace } = snapshot;
  throw new MeshctlError('ClusterIdentity', `context "${context}": ${refusal.says}`, {
    hint: refusal.hint,
    details: { context, object: `ConfigMap ${namespace}/cilium-config`, key: 'identity-allocation-mode' },
  });
}
