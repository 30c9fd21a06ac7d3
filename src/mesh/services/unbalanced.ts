import type { KubeProxyClient } from '../cilium/datapath.ts';
import { readSharing } from './annotations.ts';
import type { ClusterServices, ServiceFacts } from './service-facts.ts';

/**
 * Whose requests for a global Service that can be asked for from outside go to the own backends of a cluster only, since kube-proxy
 * serves them. Of others only nodes and host-network pods would be concerned: who they are, no Service tells.
 */
export function servedByKubeProxy(of: ClusterServices, facts: ServiceFacts): readonly KubeProxyClient[] {
  const { kubeProxyServes = [], mirrors } = of;
  const { annotations, headless, fromOutside, mirrored } = facts;
  const isConcerned = readSharing(annotations).global && !headless && fromOutside && !(mirrors && mirrored);
  return isConcerned ? kubeProxyServes : [];
}

const WHENCE: Readonly<Record<KubeProxyClient, string>> = {
  outside: 'from outside',
  'host-network': 'from nodes and host-network pods',
};

/** `from outside and from nodes and host-network pods`. */
export function whence(clients: readonly KubeProxyClient[]): string {
  return clients.map((client) => WHENCE[client]).join(', or ');
}

/**
 * Why agents choose among the backends of a global Service by zone or node first, and by affinity among what is left: with
 * `enable-service-topology`, and the Service's `trafficDistribution` or annotation (Cilium's pkg/loadbalancer/writer,
 * `DefaultSelectBackends`, which pkg/clustermesh/selectbackends.go starts from). Where each backend has a hint and one is for the client's
 * zone, the others are left out, whatever cluster they are of; up to Cilium 1.18 those of other clusters have none, and stay.
 */
export function nearestFirst(of: ClusterServices, facts: ServiceFacts): string | undefined {
  const { heedsDistributions = [] } = of;
  const { annotations, headless, nodeLocal, distribution, zoneHints } = facts;
  if (heedsDistributions.length === 0 || headless || nodeLocal || !readSharing(annotations).global) return undefined;
  if (distribution !== undefined && heedsDistributions.includes(distribution))
    return `trafficDistribution ${distribution}`;
  return zoneHints;
}
