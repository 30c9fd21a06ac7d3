import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { loadBalancerService, snapshotOf } from './snapshots.ts';

interface Made {
  settings?: Record<string, string>;
  scheme?: string;
  live?: KubeObject[];
  name?: string;
}

/** As the clouds have them. */
const PROVIDER_IDS: Readonly<Record<string, (id: number) => string>> = {
  gce: (id) => `gce://project-${id}/europe-west1-b/`,
  aws: (id) => `aws:///eu-west-${id}a/`,
  azure: (id) => `azure:///subscriptions/0000000${id}-0000-0000-0000-000000000000/resourceGroups/`,
};

/** A cluster of two nodes, of which a firewall's rules are made. */
export function cluster(id: number, { settings = {}, scheme, live = [], name = `mesh-${id}` }: Made = {}) {
  return snapshotOf({
    context: `context-${id}`,
    ciliumConfig: { 'cluster-name': name, 'cluster-id': String(id), ...settings },
    ciliumPodCidrs: [`10.${id}.0.0/24`, `10.${id}.1.0/24`],
    nodes: [1, 2].map((number) => ({
      ...{ name: `node-${number}`, ready: true, labels: {}, podCidrs: [] },
      providerId: scheme && `${PROVIDER_IDS[scheme]?.(id)}node-${number}`,
      addresses: [
        { type: 'InternalIP', address: `172.18.${id}.${number}` },
        { type: 'ExternalIP', address: `203.0.113.${id}${number}` },
      ],
    })),
    live,
  });
}

export type Clusters = ReturnType<typeof cluster>;

export const BALANCED = [loadBalancerService('198.51.100.7')];
export const NATIVE = { 'routing-mode': 'native' };
