import type { KubeObject } from '../../../mesh/objects/kube-object.ts';
import { invalid } from '../errors.ts';
import { type JsonObject, objectAt, objectsAt, setDefaults } from '../fields/json.ts';
import type { Kinds } from './kinds.ts';
import type { ObjectLog } from './object-log.ts';

// The API server's defaults: --service-cluster-ip-range of kubeadm, --service-node-port-range.
const CLUSTER_IP_PREFIX = '10.96';
/** All addresses that Services get. */
export const SERVICE_RANGE = `${CLUSTER_IP_PREFIX}.0.0/16`;
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

function freeClusterIp(taken: ReadonlySet<unknown>): string | undefined {
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
    const taken = new Set(others.map((other) => other.clusterIP));
    const wanted = spec.clusterIP || former?.clusterIP || freeClusterIp(taken);
    if (wanted !== 'None' && wanted !== former?.clusterIP && taken.has(wanted)) {
      const message = `Invalid value: ["${String(wanted)}"]: failed to allocate IP ${String(wanted)}: provided IP is already allocated`;
      throw invalid(SERVICE, service.metadata.name, [
        { reason: 'FieldValueInvalid', message, field: 'spec.clusterIPs' },
      ]);
    }
    spec.clusterIP = wanted;
    spec.clusterIPs = [wanted];
    setDefaults(spec, { ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' });
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
