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
