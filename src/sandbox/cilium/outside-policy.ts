/**
 * Whether policies let a packet from outside of a cluster in to a port of a pod: one rule after the other is held against that very
 * packet, as a datapath does. Written from Kubernetes' reference of NetworkPolicy and Cilium's docs ("Policy Enforcement Modes",
 * "Layer 3" and "Layer 4 Policies", "Deny Policies"), and not from what `check` says of policies, so that the two can disagree.
 */
import type { KubeObject } from '../../mesh/objects/kube-object.ts';
import type { Store } from '../apiserver/storage/object-store.ts';
import { type Pod, typeOf } from '../objects.ts';
import { ciliumConfigOf } from './cilium-config.ts';

type Labels = Readonly<Record<string, string>>;

interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

interface Port {
  protocol?: string;
  port?: number | string;
  endPort?: number;
}

interface NetworkPolicySpec {
  podSelector?: Selector;
  policyTypes?: string[];
  ingress?: { from?: { ipBlock?: { cidr: string; except?: string[] } }[]; ports?: Port[] }[];
}

interface CiliumRule {
  fromEntities?: string[];
  fromCIDR?: string[];
  fromCIDRSet?: { cidr?: string; except?: string[] }[];
  toPorts?: { ports?: Port[] }[];
  icmps?: unknown;
}

interface CiliumSpec {
  endpointSelector?: Selector;
  enableDefaultDeny?: { ingress?: boolean };
  ingress?: CiliumRule[];
  ingressDeny?: CiliumRule[];
}

/** What a node of another cluster is to an agent: the world as long as it knows nothing of the cluster, a remote node afterwards. */
const ENTITIES = ['all', 'world', 'remote-node', 'cluster'];
/** The ranges that hold its address, whatever it is. */
const EVERYWHERE = { 4: '0.0.0.0/0', 6: '::/0' };

/** By which entities and ranges rules mean its sender. */
function namesOfSender(store: Store, family: 4 | 6): readonly string[] {
  const { 'enable-ipv4': four = 'true', 'enable-ipv6': six = 'false' } = ciliumConfigOf(store);
  // A world of one family has no halves (pkg/labels/cidr.go).
  const halves = four === 'true' && six === 'true' ? [`world-ipv${family}`] : [];
  return [...ENTITIES, ...halves, EVERYWHERE[family]];
}

/** What a policy does with the packet. */
interface Effect {
  isolates: boolean;
  allows: boolean;
  denies: boolean;
}

/** Whether a new connection from another cluster's node or load balancer gets to a port of a pod, at its address of a family. */
export function allowsOutside(store: Store, pod: Pod, port: number, family: 4 | 6): boolean {
  const mode = ciliumConfigOf(store)['enable-policy'];
  if (mode === 'never') return true;
  const { namespace = '' } = pod.metadata;
  const isPort = isPortOf(pod, port);
  const kubernetes = store.list({ ...typeOf('NetworkPolicy'), namespace }).map(({ spec = {} }) => spec);
  const cilium = [
    ...store.list({ ...typeOf('CiliumNetworkPolicy'), namespace }),
    ...store.list(typeOf('CiliumClusterwideNetworkPolicy')),
  ].flatMap(({ spec, specs }: KubeObject) => [...(spec ? [spec] : []), ...((specs ?? []) as unknown[])]);
  const known = labelsOf(store, pod);
  const sender = namesOfSender(store, family);
  const effects = [
    ...kubernetes.map((spec) => ofKubernetes(spec as NetworkPolicySpec, pod.metadata.labels ?? {}, isPort, sender)),
    ...cilium.map((spec) => ofCilium(spec as CiliumSpec, known, isPort, sender)),
  ];
  if (effects.some(({ denies }) => denies)) return false;
  const isIsolated = mode === 'always' || effects.some(({ isolates }) => isolates);
  return !isIsolated || effects.some(({ allows }) => allows);
}

const NONE: Effect = { isolates: false, allows: false, denies: false };

function ofKubernetes(
  spec: NetworkPolicySpec,
  labels: Labels,
  isPort: (port: Port) => boolean,
  sender: readonly string[],
): Effect {
  const { podSelector = {}, policyTypes = ['Ingress'], ingress = [] } = spec;
  if (!policyTypes.includes('Ingress') || !matches(podSelector, labels)) return NONE;
  const allows = ingress.some(({ from = [], ports = [] }) => {
    const isPeer = ({ ipBlock }: (typeof from)[number]) => ipBlock !== undefined && isWhole(ipBlock, sender);
    return (from.length === 0 || from.some(isPeer)) && (ports.length === 0 || ports.some(isPort));
  });
  return { isolates: true, allows, denies: false };
}

function ofCilium(
  spec: CiliumSpec,
  labels: Labels,
  isPort: (port: Port) => boolean,
  sender: readonly string[],
): Effect {
  const { endpointSelector, enableDefaultDeny, ingress, ingressDeny } = spec;
  if (!endpointSelector || !matches(endpointSelector, labels)) return NONE;
  const applies = (rule: CiliumRule) => {
    const { fromEntities = [], fromCIDR = [], fromCIDRSet = [], toPorts, icmps } = rule;
    const hasSources = Object.keys(rule).some((key) => key.startsWith('from'));
    // An empty rule is how Cilium's policies let nobody in.
    if (icmps || (!hasSources && !toPorts)) return false;
    const isSource =
      !hasSources ||
      [...fromEntities, ...fromCIDR].some((name) => sender.includes(name)) ||
      fromCIDRSet.some((set) => isWhole(set, sender));
    return isSource && (!toPorts || toPorts.some(({ ports = [] }) => ports.length === 0 || ports.some(isPort)));
  };
  return {
    isolates: (ingress ?? ingressDeny) !== undefined && enableDefaultDeny?.ingress !== false,
    allows: ingress?.some(applies) ?? false,
    denies: ingressDeny?.some(applies) ?? false,
  };
}

function isWhole({ cidr = '', except = [] }: { cidr?: string; except?: string[] }, sender: readonly string[]): boolean {
  return sender.includes(cidr) && except.length === 0;
}

function isPortOf(pod: Pod, number: number): (port: Port) => boolean {
  const names = pod.spec.containers
    .flatMap(({ ports = [] }) => ports)
    .flatMap(({ name, containerPort }) => (containerPort === number && name !== undefined ? [name] : []));
  return ({ protocol = 'TCP', port, endPort }) => {
    if (!['TCP', 'ANY'].includes(protocol)) return false;
    if (port === undefined || String(port) === '0') return true;
    if (typeof port === 'string' && names.includes(port)) return true;
    return Number(port) <= number && number <= (endPort ?? Number(port));
  };
}

/** As Cilium has them of a pod (pkg/k8s/apis/cilium.io/const.go). */
function labelsOf(store: Store, { metadata, spec }: Pod): Labels {
  const { namespace = '', labels = {} } = metadata;
  const of = store.get({ apiVersion: 'v1', kind: 'Namespace', name: namespace })?.metadata.labels ?? {};
  return {
    ...labels,
    ...Object.fromEntries(Object.entries(of).map(([key, value]) => [`io.cilium.k8s.namespace.labels.${key}`, value])),
    'io.kubernetes.pod.namespace': namespace,
    'io.cilium.k8s.policy.serviceaccount': spec.serviceAccountName ?? 'default',
    'io.cilium.k8s.policy.cluster': ciliumConfigOf(store)['cluster-name'] ?? 'default',
  };
}

function matches({ matchLabels = {}, matchExpressions = [] }: Selector, labels: Labels): boolean {
  const labelOf = (key: string) => labels[key.replace(/^(k8s|any):/, '')];
  const isMet = ({ key, operator, values = [] }: NonNullable<Selector['matchExpressions']>[number]) => {
    const value = labelOf(key);
    switch (operator) {
      case 'In':
        return value !== undefined && values.includes(value);
      case 'NotIn':
        return value === undefined || !values.includes(value);
      default:
        return (value !== undefined) === (operator === 'Exists');
    }
  };
  return Object.entries(matchLabels).every(([key, value]) => labelOf(key) === value) && matchExpressions.every(isMet);
}
