import { configureCommand, identityOf } from '../cilium/identity.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
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
