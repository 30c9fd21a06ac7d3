import { parseCidr } from '../cilium/cidr.ts';
import { describeRef, type KubeObject, keyOf, type ObjectRef, refOf } from './kube-object.ts';

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
  /** The families in which it is dialled. */
  families: readonly (4 | 6)[];
  /** Whether Cilium has both families on: only then it knows `world-ipv4` and `world-ipv6` apart (`isOfFamily`). */
  isDualStack: boolean;
}

export interface IngressVerdict {
  /**
   * `pods`: only pods are let in, so peers are where they come from pods whose cluster is known. `some`: some addresses are let
   * in, or all but some, as of one family of two. `unknown`: it hangs on labels that are not known.
   */
  lets: Lets | 'unknown';
  /** The policies that close the pod, or may, in words. Empty where Cilium closes every pod by itself. */
  by: readonly string[];
  /** Those of them that deny: nothing lets in beside them. Absent where none does. */
  denying?: readonly ObjectRef[];
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
  const all = target.families.map((family) => inFamily(policies, target, enforcement, family));
  const [lets = 'all', ...others] = new Set(all.map((one) => one.lets));
  const by = [...new Set(all.flatMap((one) => one.by))];
  if (others.length > 0) {
    const isAny = (...these: IngressVerdict['lets'][]) => [lets, ...others].some((one) => these.includes(one));
    return { lets: isAny('unknown') ? 'unknown' : isAny('all', 'some') ? 'some' : 'pods', by };
  }
  const denying = [...new Map(all.flatMap((one) => one.denying ?? []).map((ref) => [keyOf(ref), ref])).values()];
  return { lets, by, denying };
}

/** The verdict on those who dial over IPv4, or IPv6. */
function inFamily(
  policies: readonly KubeObject[],
  target: PolicyTarget,
  enforcement: string,
  family: 4 | 6,
): IngressVerdict {
  const said = policies.flatMap((policy) =>
    wordsOf(policy, target, family).map((word) => ({ ...word, by: refOf(policy) })),
  );
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

function wordsOf(policy: KubeObject, target: PolicyTarget, family: 4 | 6): Word[] {
  const { kind, metadata, spec, specs } = policy;
  if (kind !== 'CiliumClusterwideNetworkPolicy' && metadata.namespace !== target.namespace) return [];
  if (kind === 'NetworkPolicy') return networkPolicyWords((spec ?? {}) as NetworkPolicySpec, target, family);
  const all = [...(spec ? [spec] : []), ...((specs ?? []) as unknown[])] as CiliumSpec[];
  return all.flatMap((one) => ciliumWords(one, target, family));
}

function networkPolicyWords(
  { podSelector, policyTypes, ingress = [] }: NetworkPolicySpec,
  target: PolicyTarget,
  family: 4 | 6,
): Word[] {
  if (!selects(podSelector ?? {}, (key) => target.labels[key]) || (policyTypes && !policyTypes.includes('Ingress')))
    return [];
  const open = ingress.flatMap(({ from = [], ports = [] }) => {
    const left = from.filter(({ ipBlock }) => isOfFamily(ipBlock?.cidr, family, target));
    const isForPort = ports.length === 0 || ports.some((port) => coversPort(port, target));
    return isForPort && (left.length > 0 || from.length === 0) ? [{ from: left }] : [];
  });
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
  family: 4 | 6,
): Word[] {
  if (!endpointSelector || (!ingress && !ingressDeny)) return [];
  const isOfPod = selects(endpointSelector, (key) => labelIn(target, key));
  if (isOfPod === false) return [];
  const applying = (rules: readonly CiliumIngress[] = []) =>
    rules.flatMap((rule) => ofFamily(rule, family, target)).filter((rule) => appliesToPort(rule, target));
  const [open, denied] = [applying(ingress), applying(ingressDeny)];
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

/**
 * Whether an entity or a range can mean who dials in a family. In a cluster of one family Cilium knows the outside as
 * `reserved:world` alone, as which also the range of all its addresses counts, and nothing has the labels `world-ipv4` and
 * `world-ipv6` (pkg/labels/cidr.go, `getWorldLabel`; pkg/identity/numericidentity.go, `GetWorldIdentityFromIP`).
 */
function isOfFamily(source: string | undefined, family: 4 | 6, { isDualStack }: PolicyTarget): boolean {
  if (source?.startsWith('world-')) return isDualStack && source === `world-ipv${family}`;
  const range = parseCidr(source ?? '');
  return range === undefined || range.family === family;
}

/** A rule without the sources that mean nobody in a family; none where that are all. */
function ofFamily(rule: CiliumIngress, family: 4 | 6, target: PolicyTarget): CiliumIngress[] {
  const isLeft = (source: unknown) =>
    isOfFamily(typeof source === 'string' ? source : (source as { cidr?: string }).cidr, family, target);
  const before = sourcesOf(rule).map((name) => [name, [rule[name]].flat()] as const);
  const left = before.map(([name, sources]) => [name, sources.filter(isLeft)] as const);
  const count = (lists: typeof left) => lists.reduce((sum, [, { length }]) => sum + length, 0);
  return count(before) > 0 && count(left) === 0 ? [] : [{ ...rule, ...Object.fromEntries(left) }];
}

function sourcesOf(rule: CiliumIngress): string[] {
  return Object.keys(rule).filter((key) => key.startsWith('from'));
}

/** Whether a rule is for what may be peers or not: ranges of addresses, or groups of a cloud. */
function namesAddresses(rule: CiliumIngress): boolean {
  return sourcesOf(rule).some((source) => source !== 'fromEndpoints' && source !== 'fromEntities');
}

/** From where nodes and load balancers of other clusters come, of the family that is judged. */
const WORLD = new Set(['all', 'world', 'world-ipv4', 'world-ipv6', '0.0.0.0/0', '::/0']);
/** What lets them in. */
const OUTSIDE = new Set([...WORLD, 'remote-node', 'cluster']);

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
