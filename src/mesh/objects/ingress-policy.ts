import { describeRef, type KubeObject, type ObjectRef, refOf } from './kube-object.ts';

/**
 * Whether network policies let connections from outside a cluster in to a port of a pod: those of peers come from nodes,
 * or through a load balancer, of which the cluster knows nothing before it is connected. Source: Kubernetes' reference of
 * NetworkPolicy; Cilium's docs, "Policy Enforcement Modes", "Layer 3 Policies", "Layer 4 Policies" and "Deny Policies" (they
 * win over all that let in); the labels that it adds to those of a pod: pkg/k8s/apis/cilium.io/const.go.
 */

/** The pod in question. */
export interface PolicyTarget {
  namespace: string;
  labels: Readonly<Record<string, string>>;
  /** What Cilium makes labels of besides: a policy that asks for what is not known here may select the pod or not. */
  namespaceLabels?: Readonly<Record<string, string>> | undefined;
  serviceAccount?: string | undefined;
  cluster?: string | undefined;
  port: number;
  /** The port's name in the pod, which policies may use. */
  portName?: string | undefined;
}

export interface IngressVerdict {
  /**
   * `pods`: only pods are let in, so peers are where they come from pods whose cluster is known. `some`: some addresses are let
   * in, or all but some. `unknown`: it hangs on labels that are not known.
   */
  lets: Lets | 'unknown';
  /** The policies that close the pod, or may, in words. Empty where Cilium closes every pod by itself. */
  by: readonly string[];
  /** Those of them that deny: nothing lets in beside them. Absent where none does. */
  denying?: readonly ObjectRef[] | undefined;
}

/** Of a label: what is not known here. */
const UNKNOWN = Symbol('unknown');

type Lets = 'all' | 'some' | 'pods' | 'nobody';

interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

interface NetworkPolicySpec {
  podSelector?: LabelSelector;
  policyTypes?: string[];
  ingress?: {
    from?: { ipBlock?: { cidr?: string; except?: string[] } }[];
    ports?: { protocol?: string; port?: number | string; endPort?: number }[];
  }[];
}

interface CiliumIngress {
  fromEndpoints?: unknown[];
  fromEntities?: string[];
  fromCIDR?: string[];
  fromCIDRSet?: { cidr?: string; except?: string[] }[];
  toPorts?: { ports?: { port?: string | number; endPort?: number; protocol?: string }[] }[];
  [from: string]: unknown;
}

interface CiliumSpec {
  endpointSelector?: LabelSelector;
  enableDefaultDeny?: { ingress?: boolean };
  ingress?: CiliumIngress[];
  ingressDeny?: CiliumIngress[];
}

/** What one policy has to say of the pod. */
interface Word {
  closes: boolean;
  lets: Lets;
  /** Whom, whatever lets them in. */
  denies: 'all' | 'some' | 'nobody';
  /** Whether it is of the pod at all hangs on labels that are not known. */
  unsure?: boolean;
}

type Said = Word & { by: ObjectRef };

/**
 * @param policies NetworkPolicies, CiliumNetworkPolicies and CiliumClusterwideNetworkPolicies, of any namespace
 * @param enforcement Cilium's option `enable-policy`: `default`, `always` or `never`
 */
export function ingressVerdict(
  policies: readonly KubeObject[],
  target: PolicyTarget,
  enforcement = 'default',
): IngressVerdict {
  if (enforcement === 'never') return { lets: 'all', by: [] };
  const said = policies.flatMap((policy) => wordsOf(policy, target).map((word) => ({ ...word, by: refOf(policy) })));
  // Those that may not be of the pod at all either only let in, or only keep out.
  const best = verdictOf(
    said.map((word) => (word.unsure ? { ...word, closes: false, denies: 'nobody' } : word)),
    enforcement,
  );
  const worst = verdictOf(
    said.map((word) => (word.unsure ? { ...word, lets: 'nobody' } : word)),
    enforcement,
  );
  return best.lets === worst.lets ? best : { lets: 'unknown', by: namesOf(said.filter(({ unsure }) => unsure)) };
}

function verdictOf(said: readonly Said[], enforcement: string): IngressVerdict & { lets: Lets } {
  const denying = said.filter(({ denies }) => denies === 'all');
  if (denying.length > 0) return { lets: 'nobody', by: namesOf(denying), denying: denying.map(({ by }) => by) };
  const keepingOut = said.filter(({ denies }) => denies === 'some');
  const closing = said.filter(({ closes }) => closes);
  const isOpen = closing.length === 0 && enforcement !== 'always';
  if (isOpen || said.some(({ lets }) => lets === 'all'))
    return { lets: keepingOut.length > 0 ? 'some' : 'all', by: namesOf(keepingOut) };
  const lets = (['some', 'pods'] as const).find((whom) => said.some((word) => word.lets === whom)) ?? 'nobody';
  return { lets, by: namesOf(closing) };
}

function namesOf(said: readonly { by: ObjectRef }[]): string[] {
  return [...new Set(said.map(({ by }) => describeRef(by)))];
}

function wordsOf(policy: KubeObject, target: PolicyTarget): Word[] {
  const { kind, metadata, spec, specs } = policy;
  if (kind !== 'CiliumClusterwideNetworkPolicy' && metadata.namespace !== target.namespace) return [];
  if (kind === 'NetworkPolicy') return networkPolicyWords((spec ?? {}) as NetworkPolicySpec, target);
  const all = [...(spec ? [spec] : []), ...((specs ?? []) as unknown[])] as CiliumSpec[];
  return all.flatMap((one) => ciliumWords(one, target));
}

function networkPolicyWords(
  { podSelector, policyTypes, ingress = [] }: NetworkPolicySpec,
  target: PolicyTarget,
): Word[] {
  if (!selects(podSelector ?? {}, (key) => target.labels[key]) || (policyTypes && !policyTypes.includes('Ingress')))
    return [];
  const open = ingress.filter(({ ports = [] }) => ports.length === 0 || ports.some((port) => coversPort(port, target)));
  const blocks = open.flatMap(({ from = [] }) => from.flatMap(({ ipBlock = [] }) => ipBlock));
  const isForAll =
    open.some(({ from = [] }) => from.length === 0) || wholeRanges(blocks).some((range) => OUTSIDE.has(range));
  return [
    {
      closes: true,
      denies: 'nobody',
      lets: isForAll ? 'all' : blocks.length > 0 ? 'some' : open.length > 0 ? 'pods' : 'nobody',
    },
  ];
}

function ciliumWords(
  { endpointSelector, enableDefaultDeny, ingress, ingressDeny }: CiliumSpec,
  target: PolicyTarget,
): Word[] {
  if (!endpointSelector || (!ingress && !ingressDeny)) return [];
  const isOfPod = selects(endpointSelector, (key) => labelIn(target, key));
  if (isOfPod === false) return [];
  const open = (ingress ?? []).filter((rule) => appliesToPort(rule, target));
  const denied = (ingressDeny ?? []).filter((rule) => appliesToPort(rule, target));
  return [
    {
      closes: enableDefaultDeny?.ingress !== false,
      denies: denied.some((rule) => isFor(WORLD, rule)) ? 'all' : denied.some(namesAddresses) ? 'some' : 'nobody',
      lets: open.some((rule) => isFor(OUTSIDE, rule))
        ? 'all'
        : open.some(namesAddresses)
          ? 'some'
          : open.length > 0
            ? 'pods'
            : 'nobody',
      unsure: isOfPod === UNKNOWN,
    },
  ];
}

const NAMESPACE_LABELS = 'io.cilium.k8s.namespace.labels.';

/** A label as Cilium has it of a pod; without the prefixes for where labels come from. */
function labelIn(target: PolicyTarget, label: string): string | undefined | typeof UNKNOWN {
  const key = label.replace(/^(k8s|any):/, '');
  const { namespace, namespaceLabels, serviceAccount = UNKNOWN, cluster = UNKNOWN } = target;
  if (key === 'io.kubernetes.pod.namespace' || key === `${NAMESPACE_LABELS}kubernetes.io/metadata.name`)
    return namespace;
  if (key === 'io.cilium.k8s.policy.serviceaccount') return serviceAccount;
  if (key === 'io.cilium.k8s.policy.cluster') return cluster;
  if (key.startsWith(NAMESPACE_LABELS))
    return namespaceLabels ? namespaceLabels[key.slice(NAMESPACE_LABELS.length)] : UNKNOWN;
  return /^(io\.cilium\.|reserved:)/.test(key) ? UNKNOWN : target.labels[key];
}

/** Of an empty rule nobody is let in: that is how Cilium's policies say "deny everything". */
function appliesToPort(rule: CiliumIngress, target: PolicyTarget): boolean {
  const { toPorts, icmps } = rule;
  if (!toPorts) return sourcesOf(rule).length > 0 && !icmps;
  return toPorts.some(({ ports = [] }) => ports.length === 0 || ports.some((port) => coversPort(port, target)));
}

function sourcesOf(rule: CiliumIngress): string[] {
  return Object.keys(rule).filter((key) => key.startsWith('from'));
}

/** Whether a rule is for what may be peers or not: ranges of addresses, or groups of a cloud. */
function namesAddresses(rule: CiliumIngress): boolean {
  return sourcesOf(rule).some((source) => source !== 'fromEndpoints' && source !== 'fromEntities');
}

/** From where nodes and load balancers of other clusters come; denied in their IPv6 half alone, they are not all of them. */
const WORLD = new Set(['all', 'world', 'world-ipv4', '0.0.0.0/0']);
/** What lets them in: also that half, for clusters that have no other. */
const OUTSIDE = new Set([...WORLD, 'world-ipv6', '::/0', 'remote-node', 'cluster']);

function isFor(sources: ReadonlySet<string>, rule: CiliumIngress): boolean {
  const { fromEntities = [], fromCIDR = [], fromCIDRSet = [] } = rule;
  const all = [...fromEntities, ...fromCIDR, ...wholeRanges(fromCIDRSet)];
  return sourcesOf(rule).length === 0 || all.some((one) => sources.has(one));
}

/** Of ranges those of which nothing is left out. */
function wholeRanges(ranges: readonly { cidr?: string; except?: string[] }[]): string[] {
  return ranges.flatMap(({ cidr = '', except = [] }) => (except.length === 0 ? [cidr] : []));
}

function coversPort(
  { protocol = 'TCP', port, endPort }: { protocol?: string; port?: number | string; endPort?: number },
  target: PolicyTarget,
): boolean {
  if (protocol !== 'TCP' && protocol !== 'ANY') return false;
  if (port === undefined || port === 0 || port === '0') return true;
  if (port === target.portName) return true;
  const first = Number(port);
  return first === target.port || (endPort !== undefined && first <= target.port && target.port <= endPort);
}

/** Whether labels match a selector; UNKNOWN where that hangs on one that is not known. */
function selects(
  { matchLabels = {}, matchExpressions = [] }: LabelSelector,
  labelOf: (key: string) => string | undefined | typeof UNKNOWN,
): boolean | typeof UNKNOWN {
  const judged = [
    ...Object.entries(matchLabels).map(([key, value]) => ({ key, operator: 'In', values: [value] })),
    ...matchExpressions,
  ].map(({ key, operator, values = [] }) => {
    const value = labelOf(key);
    if (value === UNKNOWN) return UNKNOWN;
    if (operator === 'Exists') return value !== undefined;
    if (operator === 'DoesNotExist') return value === undefined;
    const isListed = value !== undefined && values.includes(value);
    return operator === 'In' ? isListed : !isListed;
  });
  if (judged.includes(false)) return false;
  return judged.includes(UNKNOWN) ? UNKNOWN : true;
}
