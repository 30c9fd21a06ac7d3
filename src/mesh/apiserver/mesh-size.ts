import { configureCommand, identityOf, restartAgentsCommand } from '../cilium/identity.ts';
import { saysAtOnce } from '../cilium/restart-agents.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';
import { MeshctlError } from '../errors.ts';
import { CILIUM_CONFIG } from '../objects/names.ts';
import { sizeOf } from './deployment.ts';
import { apiserverDeployment } from './live.ts';

/** The `max-connected-clusters` that a clustermesh-apiserver runs with, and the one of cilium-config. */
export interface OutdatedSize {
  runs: number;
  wanted: number;
}

/** Both, where they differ: cilium-config was changed since. Undefined where they agree, or nothing tells. */
export function outdatedSize(snapshot: ClusterSnapshot): OutdatedSize | undefined {
  const runs = sizeOf(apiserverDeployment(snapshot));
  if (runs === undefined || !snapshot.ciliumConfig) return undefined;
  const wanted = identityOf(snapshot.ciliumConfig).maxConnectedClusters;
  return runs === wanted ? undefined : { runs, wanted };
}

/** In one clause. */
export function describeSize({ runs, wanted }: OutdatedSize): string {
  return `its clustermesh-apiserver runs with max-connected-clusters ${runs}, and cilium-config says ${wanted}, which cannot be changed in a running mesh`;
}

/** The command that puts back what everything in the cluster was made with. */
export function restoreSizeCommand(snapshot: ClusterSnapshot, { runs }: OutdatedSize): string {
  return configureCommand(snapshot, { 'max-connected-clusters': String(runs) });
}

/**
 * How agents and cilium-config come to agree, where the clustermesh-apiserver runs with what cilium-config says: with which of both
 * values the cluster was installed, and has numbered its identities since, nothing tells.
 * @param runs what agents run with
 * @param isMixed others of them run with what cilium-config says
 */
export function settleAgentSize(snapshot: ClusterSnapshot, runs: number, isMixed: boolean): string {
  const { context } = snapshot;
  const wanted = identityOf(snapshot.ciliumConfig ?? {}).maxConnectedClusters;
  const restart = restartAgentsCommand(snapshot);
  const isServed = apiserverDeployment(snapshot) !== undefined;
  const restore = [
    restoreSizeCommand(snapshot, { runs, wanted }),
    ...(isServed ? [meshctlCommand('clustermesh enable', { context })] : []),
    ...(isMixed ? [restart] : []),
  ];
  return `If the cluster was installed with ${wanted}, restart the agents${saysAtOnce(snapshot)}: ${restart}; or if with ${runs}, restore that: ${restore.join(' && ')}`;
}

/**
 * Refuses a cluster of another size than is asked for.
 * @throws MeshctlError `ClusterIdentity`; where only cilium-config was changed since, with the command that puts it back
 */
export function requireSize(snapshot: ClusterSnapshot, asked: number | undefined): void {
  const { context, namespace, ciliumConfig = {} } = snapshot;
  const { maxConnectedClusters } = identityOf(ciliumConfig);
  if (asked === undefined || asked === maxConnectedClusters) return;
  const outdated = outdatedSize(snapshot);
  throw new MeshctlError(
    'ClusterIdentity',
    `context "${context}": max-connected-clusters is ${maxConnectedClusters}, not ${asked}`,
    {
      hint:
        outdated?.runs === asked
          ? restoreSizeCommand(snapshot, outdated)
          : `All clusters of a mesh need the same. It is set when Cilium is installed ` +
            `(Helm: clustermesh.maxConnectedClusters=${asked}) and cannot be changed on a running cluster.`,
      details: { context, object: `ConfigMap ${namespace}/${CILIUM_CONFIG}` },
    },
  );
}
