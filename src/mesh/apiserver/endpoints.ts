import { nodesForAgents } from '../cilium/agents.ts';
import { canonicalIp } from '../cilium/cidr.ts';
import type { ClusterSnapshot, NodeFacts } from '../cluster-snapshot.ts';
import { describeCommand, kubectlCommand, meshctlCommand } from '../command-line.ts';
import { enableOnceGone } from '../enable/unfinished-disable.ts';
import { MeshctlError } from '../errors.ts';
import type { KubeObject } from '../objects/kube-object.ts';
import { APISERVER, ETCD_PORT } from '../objects/names.ts';
import { forceWords } from '../objects/ownership.ts';
import { clusterAddresses, ingressOf, serviceSpec } from '../objects/service.ts';
import { rememberedOf } from '../remembered.ts';
import { apiserverService } from './live.ts';
import { changeTypeCommand, dualStackCommand, lackOfService } from './service-lack.ts';

/** Addresses at which peers can dial a cluster's clustermesh-apiserver. */
export interface ServiceEndpoints {
  /** IP addresses or host names, without port. */
  hosts: readonly string[];
  port: number;
}

/** One address that peers can dial. */
export interface Endpoint {
  /** An IP address or a host name. */
  host: string;
  port: number;
}

/** Several nodes serve a NodePort alike; so many are enough to survive the loss of some. */
const NODE_PORT_HOSTS = 3;

/**
 * The addresses that the Service has now, or undefined while a load balancer has none yet.
 * LoadBalancer: its IPs, else its host names. NodePort: of some nodes that serve it, their external addresses where they
 * have any. ClusterIP: its IPs. With two IP families, the addresses of both.
 */
export function serviceEndpoints(snapshot: ClusterSnapshot): ServiceEndpoints | undefined {
  return endpointsOf(snapshot, NODE_PORT_HOSTS);
}

/** The addresses that the Service has now, as hosts with their port; empty while there are none. */
export function listEndpoints(snapshot: ClusterSnapshot): Endpoint[] {
  const { hosts, port } = serviceEndpoints(snapshot) ?? { hosts: [], port: 0 };
  return hosts.map((host) => ({ host, port }));
}

/** Every address at which the Service can be dialled now: of a NodePort those of all nodes that serve it. */
export function reachableEndpoints(
  snapshot: Pick<ClusterSnapshot, 'objects' | 'namespace' | 'nodes' | 'apiserverPods'>,
): Endpoint[] | undefined {
  const { hosts, port } = endpointsOf(snapshot, Number.POSITIVE_INFINITY) ?? {};
  return port === undefined ? undefined : hosts?.map((host) => ({ host, port }));
}

/** Whether the Service is a NodePort of which no address is known, as no node was read. */
export function isNodePortUnseen(snapshot: ClusterSnapshot): boolean {
  const service = apiserverService(snapshot);
  return service !== undefined && serviceSpec(service).type === 'NodePort' && snapshot.nodes.length === 0;
}

function endpointsOf(
  snapshot: Pick<ClusterSnapshot, 'objects' | 'namespace' | 'nodes' | 'apiserverPods'>,
  mostNodes: number,
): ServiceEndpoints | undefined {
  const service = apiserverService(snapshot);
  if (!service) return undefined;
  const spec = serviceSpec(service);
  const port = spec.ports?.[0]?.port ?? ETCD_PORT;
  if (spec.type === 'LoadBalancer') {
    const hosts = loadBalancerHosts(service);
    return hosts.length > 0 ? { hosts, port } : undefined;
  }
  if (spec.type === 'NodePort') {
    const nodePort = spec.ports?.[0]?.nodePort;
    const hosts = nodesServing(snapshot, spec.externalTrafficPolicy)
      .map((node) => nodeAddresses(node, spec.ipFamilies))
      .filter((addresses) => addresses.length > 0)
      .slice(0, mostNodes)
      .flat();
    return nodePort && hosts.length > 0 ? { hosts, port: nodePort } : undefined;
  }
  const hosts = clusterAddresses(service).filter(isIpAddress);
  return hosts.length > 0 ? { hosts, port } : undefined;
}

/** Kubernetes' mark of nodes that no load balancer shall send anything to; kubeadm sets it on control planes. */
const EXCLUDED = 'node.kubernetes.io/exclude-from-external-load-balancers';

/**
 * The nodes at which a NodePort can be dialled and is meant to be: Ready, not cordoned (they are about to go), not kept
 * out of load balancing; where those are all that there are, Ready is enough. With `externalTrafficPolicy: Local` a node
 * drops what has no ready pod on it, so only nodes with one count (Kubernetes' reference, "Traffic Policies").
 * @returns those on which Cilium is to run first: another one need not know the way to pods, and may well, by kube-proxy
 */
export function nodesServing(
  snapshot: Pick<ClusterSnapshot, 'nodes' | 'apiserverPods' | 'objects' | 'namespace'>,
  externalTrafficPolicy?: string,
): NodeFacts[] {
  const { nodes } = snapshot;
  const ready = nodes.filter((node) => node.ready);
  const meant = ready.filter(({ unschedulable, labels }) => !unschedulable && labels[EXCLUDED] === undefined);
  const serving = nodesWithReadyPod(snapshot) ?? new Set();
  // Before the first pod is ready any node may come to serve.
  const isLocal = externalTrafficPolicy === 'Local' && serving.size > 0;
  const reached = (list: readonly NodeFacts[]) => (isLocal ? list.filter(({ name }) => serving.has(name)) : [...list]);
  const found = reached(meant).length > 0 ? reached(meant) : reached(ready);
  const withCilium = withAgentsIn(snapshot);
  return [...found.filter((node) => withCilium.has(node)), ...found.filter((node) => !withCilium.has(node))];
}

/** The nodes with a ready clustermesh-apiserver; undefined where its pods were not read. */
export function nodesWithReadyPod({ apiserverPods }: Pick<ClusterSnapshot, 'apiserverPods'>): Set<string> | undefined {
  return (
    apiserverPods && new Set(apiserverPods.flatMap(({ ready, node }) => (ready && node !== undefined ? [node] : [])))
  );
}

/** Once for each snapshot: its addresses are asked for with every cluster that may dial it. */
const withAgentsIn = rememberedOf(
  (snapshot: Pick<ClusterSnapshot, 'nodes' | 'objects' | 'namespace'>) => new Set(nodesForAgents(snapshot)),
);

/** The command by which every node of a cluster serves a NodePort, not only those with a ready pod. */
export function everyNodeCommand(snapshot: Pick<ClusterSnapshot, 'context' | 'namespace' | 'objects'>): string {
  const { context } = snapshot;
  const force = forceWords(apiserverService(snapshot), ['spec.externalTrafficPolicy']);
  return meshctlCommand('clustermesh enable', { context }, ['--external-traffic-policy', 'Cluster', ...force]);
}

/** IPs of `status.loadBalancer.ingress`, or its host names where it has no IP (AWS). */
export function loadBalancerHosts(service: KubeObject): string[] {
  const ingress = ingressOf(service);
  const ips = ingress.flatMap(({ ip }) => ip ?? []);
  return ips.length > 0 ? ips : ingress.flatMap(({ hostname }) => hostname ?? []);
}

/** The addresses of a Service that must have some. @throws MeshctlError `ClusterMeshNotEnabled` where it has none */
export function requireEndpoints(snapshot: ClusterSnapshot): ServiceEndpoints {
  const endpoints = serviceEndpoints(snapshot);
  if (endpoints) return endpoints;
  const { context, namespace } = snapshot;
  const { says, hint } = addressLack(snapshot);
  const details = { context, object: `Service ${namespace}/${APISERVER}` };
  throw new MeshctlError('ClusterMeshNotEnabled', `context "${context}": ${says}`, { hint, details });
}

/** Why a cluster has no address that peers could dial, as a clause, and what to do about it. */
export function addressLack(snapshot: ClusterSnapshot): { says: string; hint: string } {
  const { context, namespace } = snapshot;
  const service = apiserverService(snapshot);
  if (!service) {
    const hint = enableOnceGone([snapshot]);
    return { says: `there is no Service ${namespace}/${APISERVER}`, hint };
  }
  const says = `the Service ${namespace}/${APISERVER} has no address that peers could dial`;
  const lack = lackOfService({ context, namespace }, service);
  if (lack)
    return {
      says: `the Service ${namespace}/${APISERVER} has no address that peers could dial: it is ${lack.is}`,
      hint: lack.hint,
    };
  const { type } = serviceSpec(service);
  if (type === 'NodePort') {
    const { why, hint } = nodePortLack(snapshot, service);
    return { says: `${says}: ${why}`, hint };
  }
  if (type !== 'LoadBalancer') {
    const look = describeCommand({ context, namespace }, 'service', { name: APISERVER });
    return { says, hint: `See why it has none: ${look}` };
  }
  const wait = meshctlCommand('clustermesh enable', { context });
  const without = changeTypeCommand(context, service, 'NodePort');
  return {
    says,
    hint: `Wait for it, or hear why it has none: ${wait}; or take a node port, which needs no load balancer: ${without}`,
  };
}

/** Why no node has an address at which a NodePort could be dialled, as a clause. */
function nodePortLack(snapshot: ClusterSnapshot, service: KubeObject): { why: string; hint: string } {
  const { context, namespace, nodes } = snapshot;
  const { ports, externalTrafficPolicy, ipFamilies = [] } = serviceSpec(service);
  const look = kubectlCommand({ context }, ['get', 'nodes', '-o', 'wide']);
  if (!ports?.[0]?.nodePort)
    return {
      why: 'it has no node port',
      hint: describeCommand({ context, namespace }, 'service', { name: APISERVER }),
    };
  if (!nodes.some(({ ready }) => ready)) return { why: 'no node is ready', hint: look };
  const serving = nodesServing(snapshot, externalTrafficPolicy);
  if (serving.length === 0) return { why: 'no node with a ready pod of it is ready', hint: look };
  if (!serving.some((node) => nodeAddresses(node).length > 0))
    return { why: 'no node that is ready has an IP address', hint: look };
  const why = `no node that is ready has an address of ${ipFamilies.join(' or ')}`;
  return { why, hint: `Have it take both families, where the cluster has both: ${dualStackCommand(context, service)}` };
}

/**
 * Why no peer can be connected to a NodePort, as a clause, and what shows it: no node of the cluster serves it. Undefined where one does,
 * and of a Service of another type, whose address does not hang on nodes.
 * @param snapshot with all nodes that there are
 */
export function lackOfServingNodes(snapshot: ClusterSnapshot): { says: string; hint: string } | undefined {
  const { type, ports, externalTrafficPolicy } = serviceSpec(apiserverService(snapshot));
  const isByNodes = type === 'NodePort' && ports?.[0]?.nodePort !== undefined;
  return isByNodes && nodesServing(snapshot, externalTrafficPolicy).length === 0 ? addressLack(snapshot) : undefined;
}

/**
 * Whether a cluster has a Service that is as it should be and still has no address, so that nobody can be connected to it at
 * that. Of a NodePort that is not known without the nodes.
 */
export function awaitsEndpoints(snapshot: ClusterSnapshot): boolean {
  const service = apiserverService(snapshot);
  if (!service || lackOfService(snapshot, service)) return false;
  return !isNodePortUnseen(snapshot) && serviceEndpoints(snapshot) === undefined;
}

/** `host:port`, with brackets around IPv6. */
export function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The two parts of `host:port`, the host without brackets, and an IPv6 address in its one spelling. */
export function splitHostPort(address: string): Endpoint {
  const end = address.lastIndexOf(':');
  return { host: canonicalIp(address.slice(0, end).replace(/^\[|\]$/g, '')), port: Number(address.slice(end + 1)) };
}

/** Whether a host is an IP address rather than a name (a name never has a colon, nor only digits and dots). */
export function isIpAddress(host: string): boolean {
  return host.includes(':') || /^\d{1,3}(\.\d{1,3}){3}$/.test(host);
}

/** Of one type, so that an address which cannot be reached from elsewhere does not stand beside one that can. */
function nodeAddresses({ addresses }: NodeFacts, families: readonly string[] = []): string[] {
  const ipFamily = (address: string) => (address.includes(':') ? 'IPv6' : 'IPv4');
  const of = (wanted: string) =>
    addresses
      .filter(({ type, address }) => type === wanted && isIpAddress(address))
      .map(({ address }) => address)
      .filter((address) => families.length === 0 || families.includes(ipFamily(address)));
  const external = of('ExternalIP');
  return external.length > 0 ? external : of('InternalIP');
}
