import { describe, expect, it } from 'vitest';
import { addressRulesOf } from '../../src/mesh/cilium/address-rules.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { addressChangesByStranger, addressPolicyChanges } from '../../src/mesh/connect/policies/address-policies.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { requireForeseen } from '../../src/mesh/plan/agreement.ts';
import { snapshotOf } from '../support/snapshots.ts';

/** mesh-1 comes to dial mesh-2, whose pods have addresses of 10.2.0.0/16, and whose nodes are 172.18.2.11 and 172.18.2.12. */
const PEER = snapshotOf({
  context: 'two',
  ciliumConfig: { 'cluster-name': 'mesh-2', 'cluster-id': '2', ipam: 'kubernetes' },
  ciliumPodCidrs: ['10.2.0.0/24', '10.2.1.0/24'],
  nodes: ['172.18.2.11', '172.18.2.12'].map((address) => ({
    name: address,
    ready: true,
    labels: {},
    addresses: [{ type: 'InternalIP', address }],
    podCidrs: [],
  })),
});

function policyOf(kind: string, spec: object): KubeObject {
  const apiVersion = kind === 'NetworkPolicy' ? 'networking.k8s.io/v1' : 'cilium.io/v2';
  return { apiVersion, kind, metadata: { namespace: 'default', name: 'a' }, spec };
}
const kubernetes = (spec: object) => policyOf('NetworkPolicy', { podSelector: {}, ...spec });
const cilium = (spec: object) => policyOf('CiliumNetworkPolicy', { endpointSelector: {}, ...spec });

function clientOf(policies: readonly KubeObject[], config: Record<string, string> = {}): ClusterSnapshot {
  return snapshotOf({
    ciliumConfig: { 'cluster-name': 'mesh-1', 'cluster-id': '1', ...config },
    addressPolicies: policies.flatMap((policy) => {
      const rules = addressRulesOf(policy);
      return rules.length > 0 ? [{ name: 'default/a', rules }] : [];
    }),
  });
}

/** What is told, without what is the same in all. */
function told(policies: readonly KubeObject[], config: Record<string, string> = {}, server = PEER): string[] {
  const changes = addressPolicyChanges([{ client: clientOf(policies, config), server }]);
  return changes.hazards.map(({ says }) =>
    says
      .replace('network policy default/a ', '')
      .replace(' traffic with ', ' ')
      .replace(', and no longer does so once it is dialled', ''),
  );
}

/** What is told of whom rules come to mean. */
function gained(policies: readonly KubeObject[], config: Record<string, string> = {}): string[] {
  const changes = addressPolicyChanges([{ client: clientOf(policies, config), server: PEER }]);
  return [...changes.hazards.map(({ says }) => says), ...changes.warnings].filter((words) => words.includes(' too'));
}

describe('whom a rule comes to mean by the first dial', () => {
  const NODES = (entities: string) => `context "one": ${entities} nodes of mesh-2 too, in network policy default/a`;

  it.each<[string, object, string[]]>([
    ['fromEntities cluster', { ingress: [{ fromEntities: ['cluster'] }] }, [NODES('entity cluster means')]],
    ['toEntities remote-node', { egress: [{ toEntities: ['remote-node'] }] }, [NODES('entity remote-node means')]],
    [
      'both',
      { ingress: [{ fromEntities: ['remote-node'] }, { fromEntities: ['cluster'] }] },
      [NODES('entities cluster and remote-node mean')],
    ],
    [
      'the label of the entity',
      { ingress: [{ fromEndpoints: [{ matchExpressions: [{ key: 'reserved:remote-node' }] }] }] },
      [NODES('entity remote-node means')],
    ],
    [
      'fromEntities cluster-mesh',
      { ingress: [{ fromEntities: ['cluster-mesh'] }] },
      ['context "one": entity cluster-mesh means pods and nodes of mesh-2 too, in network policy default/a'],
    ],
    [
      'fromEntities ingress',
      { ingress: [{ fromEntities: ['ingress'] }] },
      ['context "one": entity ingress means Ingress proxies of mesh-2 too, in network policy default/a'],
    ],
    [
      'what is denied',
      { ingressDeny: [{ fromEntities: ['remote-node'] }] },
      ['network policy default/a denies traffic with nodes of mesh-2, too, by entity remote-node'],
    ],
    ['fromEntities host', { ingress: [{ fromEntities: ['host'] }] }, []],
    ['fromEntities all', { ingress: [{ fromEntities: ['all'] }] }, []],
    ['fromEntities world', { ingress: [{ fromEntities: ['world'] }] }, []],
    ['addresses', { ingress: [{ fromCIDR: ['172.18.2.11/32'] }] }, []],
  ])('%s', (_, spec, wanted) => {
    for (const local of ['true', 'false']) {
      expect(gained([cilium(spec)], { 'policy-default-local-cluster': local })).toEqual(wanted);
    }
    expect(gained([cilium(spec)], { 'enable-policy': 'never' })).toEqual([]);
  });
});

describe('what becomes of a policy by the first dial', () => {
  it.each<[string, KubeObject, string[]]>([
    [
      'pods of a range',
      kubernetes({ ingress: [{ from: [{ ipBlock: { cidr: '10.2.0.0/16' } }] }] }),
      ['allows pods of mesh-2 by address'],
    ],
    [
      'pods of a range that are sent to',
      kubernetes({ egress: [{ to: [{ ipBlock: { cidr: '10.2.1.7/32' } }] }] }),
      ['allows pods of mesh-2 by address'],
    ],
    [
      'a node',
      kubernetes({ egress: [{ to: [{ ipBlock: { cidr: '172.18.2.11/32' } }] }] }),
      ['allows nodes of mesh-2 by address'],
    ],
    [
      'everything',
      kubernetes({ egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }] }),
      ['allows pods and nodes of mesh-2 by address'],
    ],
    [
      'everything but private addresses',
      kubernetes({ egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/8', '172.16.0.0/12'] } }] }] }),
      [],
    ],
    [
      'everything but some of its pods',
      kubernetes({ egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.2.0.0/24'] } }] }] }),
      ['allows pods of mesh-2 by address'],
    ],
    ['addresses of nobody there', kubernetes({ ingress: [{ from: [{ ipBlock: { cidr: '10.3.0.0/16' } }] }] }), []],
    ['pods by labels', kubernetes({ ingress: [{ from: [{ podSelector: {} }] }] }), []],
    ['everybody', kubernetes({ ingress: [{}] }), []],
    ['fromCIDR', cilium({ ingress: [{ fromCIDR: ['10.2.0.0/16'] }] }), ['allows pods of mesh-2 by address']],
    ['toCIDR', cilium({ egress: [{ toCIDR: ['10.2.0.0/16'] }] }), ['allows pods of mesh-2 by address']],
    [
      'fromCIDRSet',
      cilium({ ingress: [{ fromCIDRSet: [{ cidr: '10.0.0.0/8' }] }] }),
      ['allows pods of mesh-2 by address'],
    ],
    [
      'toCIDRSet',
      cilium({ egress: [{ toCIDRSet: [{ cidr: '172.18.0.0/16' }] }] }),
      ['allows nodes of mesh-2 by address'],
    ],
    [
      'a group of ranges',
      cilium({ egress: [{ toCIDRSet: [{ cidrGroupRef: 'g' }] }] }),
      ['may allow pods and nodes of mesh-2 by address'],
    ],
    [
      'a group of a cloud',
      cilium({ egress: [{ toGroups: [{ aws: {} }] }] }),
      ['may allow pods and nodes of mesh-2 by address'],
    ],
    ['what is denied', cilium({ ingressDeny: [{ fromCIDR: ['10.2.0.0/16'] }] }), ['denies pods of mesh-2 by address']],
    [
      'what is not to be sent to',
      cilium({ egressDeny: [{ toCIDRSet: [{ cidr: '172.18.2.12/32' }] }] }),
      ['denies nodes of mesh-2 by address'],
    ],
    [
      'fromEntities world',
      cilium({ ingress: [{ fromEntities: ['world'] }] }),
      ['allows pods and nodes of mesh-2 as entity world'],
    ],
    ['a half of a world of one family', cilium({ egress: [{ toEntities: ['world-ipv4'] }] }), []],
    [
      'the label of the entity',
      cilium({ ingress: [{ fromEndpoints: [{ matchLabels: { 'reserved:world': '' } }] }] }),
      ['allows pods and nodes of mesh-2 as entity world'],
    ],
    [
      'entity world denied',
      cilium({ egressDeny: [{ toEntities: ['world'] }] }),
      ['denies pods and nodes of mesh-2 as entity world'],
    ],
    ['fromEntities all', cilium({ ingress: [{ fromEntities: ['all'] }] }), []],
    ['fromEntities host', cilium({ ingress: [{ fromEntities: ['host'] }] }), []],
    [
      'one of several specs',
      { ...cilium({}), spec: null, specs: [{ ingress: [{ fromCIDR: ['10.2.0.0/16'] }] }] },
      ['allows pods of mesh-2 by address'],
    ],
  ])('%s', (_, policy, wanted) => {
    expect(told([policy])).toEqual(wanted);
  });

  const EVERYTHING = kubernetes({ egress: [{ to: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }] });

  it.each<[Record<string, string>, string[]]>([
    [{ 'policy-cidr-match-mode': 'nodes' }, ['allows pods of mesh-2 by address']],
    [{ 'policy-cidr-match-mode': 'nodes pods' }, ['may allow pods of mesh-2 by address']],
    [{ 'enable-policy': 'never' }, []],
    [{ 'policy-default-local-cluster': 'true' }, ['allows pods and nodes of mesh-2 by address']],
  ])('with %j', (config, wanted) => {
    expect(told([EVERYTHING], config)).toEqual(wanted);
  });

  it.each([
    ['true', 'true', 'world-ipv4', ['allows pods and nodes of mesh-2 as entity world-ipv4']],
    ['true', 'true', 'world-ipv6', ['allows pods and nodes of mesh-2 as entity world-ipv6']],
    ['true', 'false', 'world-ipv6', []],
    ['false', 'true', 'world-ipv4', []],
    ['true', 'true', 'fd02::/64', ['allows pods of mesh-2 by address']],
    ['false', 'true', 'fd02::/64', []],
    ['true', 'false', 'fd02::/64', []],
  ])('with IPv6 on here: %s, and in the peer: %s, %s', (here, there, whom, wanted) => {
    const ciliumConfig = { ...PEER.ciliumConfig, 'enable-ipv6': there };
    const peer = { ...PEER, ciliumConfig, ciliumPodCidrs: ['10.2.0.0/24', 'fd02::/80'] };
    const rule = whom.includes('/') ? { toCIDR: [whom] } : { toEntities: [whom] };
    expect(told([cilium({ egress: [rule] })], { 'enable-ipv6': here }, peer)).toEqual(wanted);
  });

  it('may be of pods whose ranges are not known', () => {
    const unknown = { ...PEER, ciliumConfig: { ...PEER.ciliumConfig, ipam: 'delegated-plugin' }, ciliumPodCidrs: [] };
    const policy = kubernetes({ ingress: [{ from: [{ ipBlock: { cidr: '10.9.0.0/16' } }] }] });
    expect(told([policy], {}, unknown)).toEqual(['may allow pods of mesh-2 by address']);
  });

  it('is told once of peers that it concerns alike, with the way to say it otherwise', () => {
    const third = { ...PEER, context: 'three', ciliumConfig: { ...PEER.ciliumConfig, 'cluster-name': 'mesh-3' } };
    const client = clientOf([EVERYTHING]);
    const { hazards, warnings } = addressPolicyChanges([PEER, third].map((server) => ({ client, server })));
    expect(hazards).toMatchObject([
      {
        cluster: 'one',
        says: 'network policy default/a allows traffic with pods and nodes of mesh-2 and mesh-3 by address, and no longer does so once they are dialled',
      },
    ]);
    expect(warnings).toEqual([expect.stringContaining('→ In policies that are to mean them, name pods by the label')]);
  });

  it.each<[string, object]>([
    ['allows', { ingress: [{ fromCIDR: ['10.0.0.0/8'] }] }],
    ['denies', { ingressDeny: [{ fromEntities: ['cluster', 'remote-node'] }] }],
  ])('is foreseen where fewer policies and peers are concerned by now: %s', (_what, spec) => {
    const third = { ...PEER, context: 'three', ciliumConfig: { ...PEER.ciliumConfig, 'cluster-name': 'mesh-3' } };
    const hazardsOf = (names: string[], servers: (typeof PEER)[]) => {
      const rules = addressRulesOf(cilium(spec));
      const client = { ...clientOf([]), addressPolicies: names.map((name) => ({ name, rules })) };
      return addressPolicyChanges(servers.map((server) => ({ client, server }))).hazards;
    };
    const all = hazardsOf(['default/a', 'default/b'], [PEER, third]);
    for (const fewer of [hazardsOf(['default/b'], [PEER, third]), hazardsOf(['default/a', 'default/b'], [third])]) {
      expect(fewer).toHaveLength(1);
      expect(() => requireForeseen(all, fewer)).not.toThrow();
      expect(() => requireForeseen(fewer, all)).toThrow(/\(new: default\//);
    }
  });

  it('is told of a peer that is known by its message, where it comes to be dialled', () => {
    const client = clientOf([EVERYTHING]);
    expect(addressChangesByStranger(client, PEER, true).hazards).toHaveLength(1);
    expect(addressChangesByStranger(client, PEER, false)).toEqual({ hazards: [], warnings: [] });
  });
});
