import { familyOf } from '../../../mesh/cilium/cidr.ts';
import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { invalid } from '../errors.ts';
import { type JsonObject, objectAt, objectsAt, setDefaults } from '../fields/json.ts';
import type { Kinds } from './kinds.ts';
import type { ObjectLog } from './object-log.ts';

// The API server's defaults: --service-cluster-ip-range of kubeadm, --service-node-port-range.
const CLUSTER_IP_PREFIX = '10.96';
const CLUSTER_IP6_PREFIX = 'fd00:96::';
/** All addresses that Services get, by family. */
export const SERVICE_RANGES = { 4: `${CLUSTER_IP_PREFIX}.0.0/16`, 6: `${CLUSTER_IP6_PREFIX}/112` } as const;
/** That of the Service of the API server itself. */
export const FIRST_SERVICE = { 4: `${CLUSTER_IP_PREFIX}.0.1`, 6: `${CLUSTER_IP6_PREFIX}1` } as const;
const FIRST_IP6_HOST = 0xa00;
const FIRST_NODE_PORT = 30000;
const LAST_NODE_PORT = 32767;
const SERVICE = { group: '', kind: 'Service' };

function* clusterIps(): Generator<string> {
  for (let third = 0; third < 256; third += 1) {
    for (let fourth = 0; fourth < 256; fourth += 1) {
      // .0.1 belongs to the Service `kubernetes`, .0.10 to the DNS Service by convention.
      if (third > 0 ? fourth > 0 : fourth > 10) yield `${CLUSTER_IP_PREFIX}.${third}.${fourth}`;
    }
  }
}

function freeClusterIp6(taken: ReadonlySet<unknown>): string {
  let host = FIRST_IP6_HOST;
  while (taken.has(`${CLUSTER_IP6_PREFIX}${host.toString(16)}`)) host += 1;
  return `${CLUSTER_IP6_PREFIX}${host.toString(16)}`;
}

/** Of which the cluster has a range (its ServiceCIDR), the primary one first; IPv4 where that does not tell. */
function familiesIn(log: ObjectLog, kinds: Kinds): (4 | 6)[] {
  const ranges = log.list(kinds.require('networking.k8s.io/v1', 'ServiceCIDR'));
  const families = ranges.flatMap(({ spec }) => ((spec as { cidrs?: string[] }).cidrs ?? []).map(familyOf));
  return families.length > 0 ? families : [4];
}

/** Whether a Service wants both families, where the cluster has both. */
function wantsBoth({ ipFamilyPolicy }: JsonObject): boolean {
  return ipFamilyPolicy === 'PreferDualStack' || ipFamilyPolicy === 'RequireDualStack';
}

function freeClusterIp(family: 4 | 6, taken: ReadonlySet<unknown>): string | undefined {
  if (family === 6) return freeClusterIp6(taken);
  for (const address of clusterIps()) if (!taken.has(address)) return address;
  return undefined;
}

/**
 * Gives a Service its cluster IP and node ports, those it had before if it names none. Refuses with 422 what is taken or
 * out of range, and takes what only another type of Service has. Changes the Service.
 */
export function allocateServiceAddresses(log: ObjectLog, kinds: Kinds, service: KubeObject, before?: KubeObject): void {
  const spec = objectAt(service, 'spec') ?? {};
  const former = objectAt(before, 'spec');
  const others = log
    .list(kinds.require('v1', 'Service'))
    .filter(
      (other) =>
        other.metadata.name !== service.metadata.name || other.metadata.namespace !== service.metadata.namespace,
    )
    .map((other) => objectAt(other, 'spec') ?? {});

  if (spec.type === 'ExternalName') {
    delete spec.clusterIP;
    delete spec.clusterIPs;
  } else {
    const taken = new Set(others.flatMap(({ clusterIP, clusterIPs }) => [clusterIP, clusterIPs].flat()));
    const families = familiesIn(log, kinds);
    const [named] = [spec.ipFamilies, former?.ipFamilies].flatMap((list) => (Array.isArray(list) ? list : []));
    const first = named === undefined ? (families[0] ?? 4) : named === 'IPv6' ? 6 : 4;
    const wanted = spec.clusterIP || former?.clusterIP || freeClusterIp(first, taken);
    if (wanted !== 'None' && wanted !== former?.clusterIP && taken.has(wanted)) {
      const message = `Invalid value: ["${String(wanted)}"]: failed to allocate IP ${String(wanted)}: provided IP is already allocated`;
      throw invalid(SERVICE, service.metadata.name, [
        { reason: 'FieldValueInvalid', message, field: 'spec.clusterIPs' },
      ]);
    }
    spec.clusterIP = wanted;
    if (wanted !== 'None' && wantsBoth(spec) && families.length > 1) {
      const [own, other]: (4 | 6)[] = familyOf(String(wanted)) === 6 ? [6, 4] : [4, 6];
      const second = Array.isArray(former?.clusterIPs) ? former.clusterIPs[1] : undefined;
      spec.clusterIPs = [wanted, second ?? freeClusterIp(other ?? 6, taken)];
      spec.ipFamilies = [`IPv${own}`, `IPv${other}`];
    } else spec.clusterIPs = [wanted];
    setDefaults(spec, { ipFamilies: [`IPv${first}`], ipFamilyPolicy: 'SingleStack' });
  }

  if (spec.type !== 'LoadBalancer') delete spec.loadBalancerClass;
  const ports = objectsAt(spec, 'ports');
  const wantsNodePorts =
    spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false);
  if (!wantsNodePorts) {
    if (spec.type !== 'LoadBalancer') for (const port of ports) delete port.nodePort;
    return;
  }
  const taken = new Set(others.flatMap((other) => objectsAt(other, 'ports').map(portKey)));
  const formerPorts = objectsAt(former, 'ports');
  ports.forEach((port, index) => {
    if (port.nodePort) {
      checkNodePort(service.metadata.name, index, Number(port.nodePort), taken.has(portKey(port)));
    } else {
      const same = formerPorts.find((other) => other.port === port.port && other.protocol === port.protocol);
      port.nodePort = same?.nodePort ?? freeNodePort(port, new Set([...taken, ...ports.map(portKey)]));
    }
    taken.add(portKey(port));
  });
}

const portKey = (port: JsonObject): string => `${String(port.nodePort)}/${String(port.protocol)}`;

function freeNodePort(port: JsonObject, taken: ReadonlySet<string>): number | undefined {
  for (let nodePort = FIRST_NODE_PORT; nodePort <= LAST_NODE_PORT; nodePort += 1) {
    if (!taken.has(portKey({ nodePort, protocol: port.protocol }))) return nodePort;
  }
  return undefined;
}

function checkNodePort(name: string, index: number, port: number, taken: boolean): void {
  const inRange = port >= FIRST_NODE_PORT && port <= LAST_NODE_PORT;
  if (inRange && !taken) return;
  const why = inRange
    ? 'provided port is already allocated'
    : `provided port is not in the valid range. The range of valid ports is ${FIRST_NODE_PORT}-${LAST_NODE_PORT}`;
  const field = `spec.ports[${index}].nodePort`;
  throw invalid(SERVICE, name, [{ reason: 'FieldValueInvalid', message: `Invalid value: ${port}: ${why}`, field }]);
}
