import type { KubeObject } from '../objects/kube-object.ts';

/**
 * The ServiceImport for which Cilium's operator keeps a Service, global, until nobody exports it any more (the Multi-Cluster
 * Services API: pkg/clustermesh/mcsapi/service_controller.go); undefined for one that somebody has made.
 */
export function serviceImportOf({ metadata }: Pick<KubeObject, 'metadata'>): string | undefined {
  const owner = metadata.ownerReferences?.find(
    ({ apiVersion, kind, controller }) => controller === true && kind === 'ServiceImport' && MCS_API.test(apiVersion),
  );
  return owner?.name;
}

const MCS_API = /^multicluster\.x-k8s\.io\//;
