import { describe, expect, it } from 'vitest';
import { obeysInternalPolicyOption } from '../../src/mesh/cilium/datapath.ts';
import { selectsLocalCluster } from '../../src/mesh/cilium/policy-scope.ts';
import { ztunnelRefusal } from '../../src/mesh/cilium/start-refusals.ts';
import { versionOfImage } from '../../src/mesh/cilium/versions/versions.ts';
import { tunnelOverhead } from '../../src/mesh/network/mtu.ts';
import { heededNamespaces, heedsNamespaces, isGlobalByDefault } from '../../src/mesh/services/annotations.ts';
import { globalServicesIn } from '../../src/mesh/services/newly-shared.ts';
import { snapshotOf } from '../support/snapshots.ts';

/** Rules that hang on Cilium's version, in each that is supported: none may be that of the newest in all of them. */
const VERSIONS = ['1.16.0', '1.17.9', '1.18.4', '1.19.0', '1.20.0'] as const;
const imageOf = (version: string) => `quay.io/cilium/cilium:v${version}`;
const agentOf = (image: string) => ({ image, desired: 1, ready: 1 });
const OFF = { 'clustermesh-default-global-namespace': 'false' };

const LOCAL = { 'policy-default-local-cluster': 'true' };

const RULES: [string, (image: string) => unknown, unknown[]][] = [
  [
    'policies that name no cluster mean the own one',
    (image) => selectsLocalCluster({ ciliumConfig: {}, agent: agentOf(image) }),
    [false, false, false, true, true],
  ],
  [
    'the setting by which they mean the own one is obeyed',
    (image) => selectsLocalCluster({ ciliumConfig: LOCAL, agent: agentOf(image) }),
    [false, false, true, true, true],
  ],
  ['namespaces can be kept out of the mesh', heedsNamespaces, [false, false, false, true, true]],
  ['all of them are global by default', (image) => isGlobalByDefault(OFF, image), [true, true, true, false, false]],
  [
    'an annotation of a namespace counts',
    (image) => heededNamespaces(new Map([['n', { a: 'b' }]]), image).get('n')?.a === 'b',
    [false, false, false, true, true],
  ],
  [
    'ztunnel keeps agents from starting',
    (image) => ztunnelRefusal({ ciliumConfig: { 'enable-ztunnel': 'true' }, agent: agentOf(image) }) !== undefined,
    [false, false, false, true, true],
  ],
  ['internalTrafficPolicy is passed over by an option', obeysInternalPolicyOption, [true, true, false, false, false]],
  [
    'WireGuard pads packets',
    (image) => tunnelOverhead({ 'enable-wireguard': 'true', 'routing-mode': 'native' }, versionOfImage(image)) === 95,
    [false, false, false, false, true],
  ],
];

describe('rules of a version', () => {
  it.each(RULES)('%s', (_, rule, wanted) => {
    expect(VERSIONS.map((version) => rule(imageOf(version)))).toEqual(wanted);
  });
});

it.each(VERSIONS)('a connect with Cilium %s shares what its agents share', (version) => {
  const services = globalServicesIn(
    snapshotOf({
      ciliumConfig: { 'cluster-name': 'mesh-1', ...OFF },
      agent: agentOf(imageOf(version)),
      globalServices: {
        services: new Map(),
        namespaces: new Map([['n', { 'clustermesh.cilium.io/global': 'false' }]]),
      },
    }),
  );
  const isOld = version < '1.19';
  expect(services?.globalByDefault).toBe(isOld);
  expect(services?.namespaces.get('n')).toEqual(isOld ? {} : { 'clustermesh.cilium.io/global': 'false' });
});
