import type { KubeObject } from '../objects/kube-object.ts';

/**
 * What network policies say of whom Cilium knows by an address alone, as it does those of a cluster before it is connected with it
 * (Cilium's docs, "Layer 3 Policies": rules by address do not apply between what Cilium manages).
 */

/** A part of a policy: it has one of range, group and entity. */
export interface AddressRule {
  /** Whether what it names is kept out, and not let through. */
  denies: boolean;
  cidr?: string | undefined;
  /** Ranges within it that are not meant. */
  except?: readonly string[] | undefined;
  /** Ranges that stand elsewhere: in a CiliumCIDRGroup, or with a cloud. */
  isGroup?: true | undefined;
  /** One of Cilium's entities, as `world`. */
  entity?: string | undefined;
}

/** A policy that has such rules. */
export interface AddressPolicy {
  /** `namespace/name`. */
  name: string;
  rules: readonly AddressRule[];
}

interface RangeOfRule {
  cidr?: string;
  except?: string[];
}

interface RuleOfCilium {
  fromCIDR?: string[];
  toCIDR?: string[];
  fromCIDRSet?: RangeOfRule[];
  toCIDRSet?: RangeOfRule[];
  fromGroups?: unknown[];
  toGroups?: unknown[];
  fromEntities?: string[];
  toEntities?: string[];
  fromEndpoints?: LabelSelector[];
  toEndpoints?: LabelSelector[];
}

/** Of pods, in the policies of Kubernetes and of Cilium. */
export interface LabelSelector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string }[];
}

interface NetworkPolicyPeer {
  ipBlock?: RangeOfRule;
  podSelector?: LabelSelector;
}

/** Whom the rules of a NetworkPolicy are about, in both directions. @param spec that of the policy */
export function networkPolicyPeers(spec: unknown): NetworkPolicyPeer[] {
  const { ingress = [], egress = [] } = (spec ?? {}) as {
    ingress?: { from?: NetworkPolicyPeer[] }[];
    egress?: { to?: NetworkPolicyPeer[] }[];
  };
  return [...ingress.flatMap(({ from = [] }) => from), ...egress.flatMap(({ to = [] }) => to)];
}

/** The rules by address and by entity of a NetworkPolicy, a CiliumNetworkPolicy or a CiliumClusterwideNetworkPolicy. */
export function addressRulesOf({ kind, spec, specs }: KubeObject): AddressRule[] {
  if (kind === 'NetworkPolicy') {
    return networkPolicyPeers(spec).flatMap(({ ipBlock }) => (ipBlock ? [rangeRule(ipBlock, false)] : []));
  }
  const parts = [spec, ...((specs ?? []) as unknown[])] as (Record<string, RuleOfCilium[] | null> | null | undefined)[];
  return parts.flatMap((part) => [
    ...[...(part?.ingress ?? []), ...(part?.egress ?? [])].flatMap((rule) => rulesOfCilium(rule, false)),
    ...[...(part?.ingressDeny ?? []), ...(part?.egressDeny ?? [])].flatMap((rule) => rulesOfCilium(rule, true)),
  ]);
}

function rulesOfCilium(rule: RuleOfCilium, denies: boolean): AddressRule[] {
  const ranges = [...(rule.fromCIDR ?? []), ...(rule.toCIDR ?? [])].map((cidr) => ({ cidr }));
  const sets = [...(rule.fromCIDRSet ?? []), ...(rule.toCIDRSet ?? [])];
  const groups = [...(rule.fromGroups ?? []), ...(rule.toGroups ?? [])];
  const selectors = [...(rule.fromEndpoints ?? []), ...(rule.toEndpoints ?? [])];
  const entities = [...(rule.fromEntities ?? []), ...(rule.toEntities ?? []), ...selectors.flatMap(reservedIn)];
  return [
    ...[...ranges, ...sets].map((range) => rangeRule(range, denies)),
    ...groups.map((): AddressRule => ({ denies, isGroup: true })),
    ...entities.map((entity): AddressRule => ({ denies, entity })),
  ];
}

/** A set without a range names a CiliumCIDRGroup, or selects some (`cidrGroupRef`, `cidrGroupSelector`). */
function rangeRule({ cidr, except }: RangeOfRule, denies: boolean): AddressRule {
  return cidr === undefined ? { denies, isGroup: true } : { denies, cidr, except };
}

/** The entities that a selector has as labels: `reserved:world` (Cilium's pkg/policy/api/entity.go). */
function reservedIn({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string[] {
  const keys = [...Object.keys(matchLabels), ...matchExpressions.map(({ key }) => key)];
  return keys.flatMap((key) => (key.startsWith('reserved:') ? [key.slice('reserved:'.length)] : []));
}
