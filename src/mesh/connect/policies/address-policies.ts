import type { AddressRule } from '../../cilium/address-rules.ts';
import { type AddressRange, overlap, parseCidr } from '../../cilium/cidr.ts';
import { ipFamilies } from '../../cilium/datapath.ts';
import { clusterNameOf } from '../../cilium/identity.ts';
import type { CiliumConfig } from '../../cilium/known-keys.ts';
import { knownRanges, lacksNodeRanges, podRanges, rangesIn } from '../../cilium/pod-ranges.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { enumerated, firstOf } from '../../counted.ts';
import { groupBy } from '../../pairs.ts';
import { configuredPeers } from '../../peers/peers.ts';
import type { Hazard } from '../../plan/agreement.ts';
import { type DialOfSnapshots, firstDials } from '../../services/newly-shared.ts';
import { policiesNamed } from './policy-words.ts';

/** What first dials make of network policies that say by address, or by entity, whom they mean. */
export interface AddressPolicyChanges {
  /** What they allow, or deny, no longer, and what they come to deny. */
  hazards: readonly Hazard[];
  warnings: readonly string[];
}

/**
 * As soon as a cluster dials another one, Cilium knows the pods and nodes of that by labels, and rules by address mean them no more
 * (Cilium's docs, "Layer 3 Policies"; pkg/policy, `CIDRSelector`), nor does the entity `world`. Nodes are meant still where
 * `policy-cidr-match-mode` has `nodes`.
 */
export function addressPolicyChanges(dials: readonly DialOfSnapshots[]): AddressPolicyChanges {
  const changes = firstDials(dials).map(({ client, servers }) => changesIn(client, servers));
  return { hazards: changes.flatMap(({ hazards }) => hazards), warnings: changes.flatMap(({ warnings }) => warnings) };
}

/** The same of a peer that is known by a message alone. @param dialsPeer whether the cluster comes to dial it */
export function addressChangesByStranger(
  own: ClusterSnapshot,
  peer: ClusterSnapshot,
  dialsPeer: boolean,
): AddressPolicyChanges {
  const isFirst = dialsPeer && !configuredPeers(own).includes(clusterNameOf(peer));
  return isFirst ? changesIn(own, [peer]) : { hazards: [], warnings: [] };
}

function changesIn(client: ClusterSnapshot, servers: readonly ClusterSnapshot[]): AddressPolicyChanges {
  const { context, ciliumConfig = {} } = client;
  // Where no policy is enforced, none changes.
  if (ciliumConfig['enable-policy'] === 'never') return { hazards: [], warnings: [] };
  const changes = servers.flatMap((server) => changesBy(client, server));
  const alike = [...groupBy(changes, ({ verb, whom, how, policies }) => JSON.stringify([verb, whom, how, policies]))];
  const hazards = alike.flatMap(([, of]): Hazard[] => {
    const [first] = of;
    if (!first) return [];
    const { verb, whom, how, policies } = first;
    const names = enumerated(of.map(({ peer }) => peer));
    const once = of.length === 1 ? 'it is' : 'they are';
    return [
      {
        cluster: context,
        says: `${policiesNamed(policies)} ${verbOf(policies, verb)} traffic with ${whom} of ${names} ${how}, and no longer ${verbOf(policies, 'do')} so once ${once} dialled`,
        enumerates: {
          what: `${verb} traffic with ${whom} ${how}`,
          members: of.flatMap(({ peer }) => policies.map((policy) => `${policy} with ${peer}`)),
        },
      },
    ];
  });
  const advice = 'name pods by the label io.cilium.k8s.policy.cluster, and nodes by the entity remote-node';
  const names = firstOf([...new Set(changes.map(({ peer }) => peer))]);
  const gained = gainsIn(client, servers);
  const warning = `context "${context}": rules by address do not mean pods and nodes of ${names} once dialled → In policies that are to mean them, ${advice}.`;
  return {
    hazards: [...hazards, ...gained.hazards],
    warnings: [...(hazards.length > 0 ? [warning] : []), ...gained.warnings],
  };
}

/**
 * Whom of a peer entities mean once that is dialled, whatever `policy-default-local-cluster` says: nodes of all clusters are of
 * `remote-node`, which is of `cluster`, too (Cilium's pkg/policy/api/entity.go, `clusterSelectors`; pkg/node/manager). `cluster-mesh` is
 * from 1.20.
 */
const GAINED: Readonly<Record<string, string>> = {
  cluster: 'nodes',
  'remote-node': 'nodes',
  ingress: 'Ingress proxies',
  'cluster-mesh': 'pods and nodes',
};

/** Who has written such a rule to let through may mean that: it is named. What it keeps out is asked for. */
function gainsIn(client: ClusterSnapshot, servers: readonly ClusterSnapshot[]): AddressPolicyChanges {
  const { context, addressPolicies = [] } = client;
  const names = firstOf(servers.map(clusterNameOf));
  const gains = addressPolicies.flatMap(({ name, rules }) =>
    rules.flatMap(({ entity = '', denies }) =>
      GAINED[entity] ? [{ name, entity, denies, whom: GAINED[entity] }] : [],
    ),
  );
  const alike = (denies: boolean) =>
    [
      ...groupBy(
        gains.filter((one) => one.denies === denies),
        ({ whom }) => whom,
      ),
    ].map(([whom, of]) => ({
      whom,
      entities: [...new Set(of.map(({ entity }) => entity))].sort(),
      policies: [...new Set(of.map(({ name }) => name))].sort(),
      members: of.flatMap(({ name, entity: by }) =>
        servers.map((server) => `${name} with ${clusterNameOf(server)} by ${by}`),
      ),
    }));
  const entity = (of: readonly string[]) => `${of.length === 1 ? 'entity' : 'entities'} ${enumerated(of)}`;
  return {
    hazards: alike(true).map(({ whom, entities, policies, members }) => ({
      cluster: context,
      says: `${policiesNamed(policies)} ${verbOf(policies, 'deny')} traffic with ${whom} of ${names}, too, by ${entity(entities)}`,
      enumerates: { what: `deny traffic with ${whom}, too`, members },
    })),
    warnings: alike(false).map(
      ({ whom, entities, policies }) =>
        `context "${context}": ${entity(entities)} ${entities.length === 1 ? 'means' : 'mean'} ${whom} of ${names} too, in ${policiesNamed(policies)}`,
    ),
  };
}

/** The form that goes with one policy, or with several. */
function verbOf(policies: readonly string[], verb: string): string {
  if (policies.length !== 1) return verb;
  return { allow: 'allows', deny: 'denies', do: 'does' }[verb] ?? verb;
}

interface Change {
  peer: string;
  verb: string;
  whom: string;
  how: string;
  policies: readonly string[];
}

function changesBy(client: ClusterSnapshot, server: ClusterSnapshot): Change[] {
  const { addressPolicies = [], ciliumConfig = {} } = client;
  const peer = clusterNameOf(server);
  const known = addressesOf(server);
  const meant = addressPolicies.flatMap(({ name, rules }) =>
    rules.flatMap((rule) => {
      const { pods, nodes } = lost(rule, known, ciliumConfig);
      const words = (is: Sure): { verb: string; whom: string; how: string; name: string }[] => {
        const whom = [...(pods === is ? ['pods'] : []), ...(nodes === is ? ['nodes'] : [])];
        const verb = `${is === 'may be' ? 'may ' : ''}${rule.denies ? 'deny' : 'allow'}`;
        const how = rule.entity === undefined ? 'by address' : `as entity ${rule.entity}`;
        return whom.length > 0 ? [{ verb, whom: enumerated(whom), how, name }] : [];
      };
      return [...words('is'), ...words('may be')];
    }),
  );
  return [...groupBy(meant, ({ verb, whom, how }) => JSON.stringify([verb, whom, how])).values()].flatMap((of) => {
    const [first] = of;
    return first ? [{ ...first, peer, policies: [...new Set(of.map(({ name }) => name))].sort() }] : [];
  });
}

type Sure = 'is' | 'may be' | 'is not';

/** The addresses of a cluster that is to be dialled; undefined where they are not known. */
interface PeerAddresses {
  pods?: readonly AddressRange[] | undefined;
  nodes?: readonly AddressRange[] | undefined;
  families: readonly (4 | 6)[];
}

function addressesOf(server: ClusterSnapshot): PeerAddresses {
  const { given, pools } = podRanges(server);
  const nodes = rangesIn(server.nodes.flatMap(({ addresses }) => addresses.map(({ address }) => address)));
  return {
    pods: lacksNodeRanges(server) || knownRanges(server).length === 0 ? undefined : [...given, ...pools],
    nodes: nodes.length > 0 ? nodes : undefined,
    families: ipFamilies(server.ciliumConfig ?? {}),
  };
}

/** Whom of a peer a rule means until that is dialled, and no longer then. */
function lost(
  rule: AddressRule,
  { pods, nodes, families }: PeerAddresses,
  config: CiliumConfig,
): Record<'pods' | 'nodes', Sure> {
  const own = ipFamilies(config);
  if (rule.entity !== undefined) {
    // Where Cilium has one family on, nothing has the labels of these halves (pkg/labels/cidr.go).
    const halves = own.length > 1 ? families.map((family) => `world-ipv${family}`) : [];
    const isWorld = ['world', ...halves].includes(rule.entity);
    return isWorld ? { pods: 'is', nodes: 'is' } : { pods: 'is not', nodes: 'is not' };
  }
  // A list with commas or blanks (pkg/option, `policy-cidr-match-mode`). With `pods` (from 1.20) those may be meant that are known by address too.
  const modes = (config['policy-cidr-match-mode'] ?? '').split(/[\s,]+/);
  const inReach = (ranges: readonly AddressRange[] | undefined) => ranges?.filter(({ family }) => own.includes(family));
  const ofPods = meets(rule, inReach(pods));
  return {
    pods: ofPods === 'is' && modes.includes('pods') ? 'may be' : ofPods,
    nodes: modes.includes('nodes') ? 'is not' : meets(rule, inReach(nodes)),
  };
}

function meets({ cidr, except = [] }: AddressRule, ranges: readonly AddressRange[] | undefined): Sure {
  if (cidr === undefined || ranges === undefined) return 'may be';
  const range = parseCidr(cidr);
  if (!range) return 'is not';
  const left = except.flatMap((text) => parseCidr(text) ?? []);
  return ranges.some((one) => overlap(one, range) && !left.some((out) => isWithin(common(one, range), out)))
    ? 'is'
    : 'is not';
}

/** What two ranges that overlap have in common. */
function common(one: AddressRange, other: AddressRange): AddressRange {
  const first = one.first > other.first ? one.first : other.first;
  const last = one.last < other.last ? one.last : other.last;
  return { family: one.family, first, last };
}

function isWithin(one: AddressRange, other: AddressRange): boolean {
  return one.family === other.family && other.first <= one.first && one.last <= other.last;
}
