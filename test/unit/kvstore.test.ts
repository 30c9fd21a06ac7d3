import { describe, expect, it } from 'vitest';
import { identityOf, requireIdentity } from '../../src/mesh/cilium/identity.ts';
import { kvstoreRefusal, servesFromKvstore } from '../../src/mesh/cilium/kvstore.ts';
import { requireEnabled } from '../../src/mesh/connect/direction.ts';
import { enabledFirst, notReadyAmong } from '../../src/mesh/faults/enable-first.ts';
import { serveFaults } from '../../src/mesh/faults/serve-faults.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { apiserverDeployment, NOW, snapshotOf } from '../support/snapshots.ts';

const clusterWith = (mode: string | undefined, version = '1.20.0', live: KubeObject[] = []) =>
  snapshotOf({
    ciliumConfig: {
      'cluster-name': 'mesh-1',
      'cluster-id': '1',
      ...(mode === undefined ? {} : { 'identity-allocation-mode': mode }),
    },
    agent: { image: `quay.io/cilium/cilium:v${version}`, desired: 1, ready: 1 },
    live,
  });

/** What Cilium's chart makes with `kvstoreMode: external`. */
function ofExternalEtcd(): KubeObject {
  const volumes = [
    { name: 'kvstoremesh-secrets', secret: { secretName: 'cilium-kvstoremesh' } },
    { name: 'etcd-config', configMap: { name: 'cilium-config' } },
  ];
  const made = apiserverDeployment();
  const template = { spec: { containers: [{ name: 'kvstoremesh', image: 'apiserver:v1.20.0' }], volumes } };
  return { ...made, spec: { ...(made.spec as object), template } };
}

describe('where Cilium keeps the state of a cluster', () => {
  it.each<[string | undefined, string, boolean]>([
    [undefined, '1.16.0', true],
    ['crd', '1.20.0', true],
    ['kvstore', '1.20.0', false],
    ['doublewrite-readkvstore', '1.20.0', true],
    ['doublewrite-readcrd', '1.17.0', true],
    ['doublewrite-readcrd', '1.16.9', false],
    ['of tomorrow', '1.20.0', false],
  ])('mode %s of Cilium %s: a member of a mesh: %s', (mode, version, isTaken) => {
    const cluster = clusterWith(mode, version);
    expect(kvstoreRefusal(cluster) === undefined).toBe(isTaken);
    if (isTaken) expect(requireIdentity(cluster)).toEqual(identityOf(cluster.ciliumConfig ?? {}));
    else expect(() => requireIdentity(cluster)).toThrow(/identity-allocation-mode/);
  });

  it('KVStoreMesh writes to it: the cluster is refused, and nothing is called missing that it needs not', () => {
    const cluster = clusterWith('doublewrite-readcrd', '1.20.0', [ofExternalEtcd()]);
    expect(servesFromKvstore(cluster)).toBe(true);
    expect(() => requireIdentity(cluster)).toThrow(/kvstoreMode=external/);
    expect(serveFaults(cluster, { now: NOW })).toEqual([]);
  });

  it('a Deployment that has lost its containers is no such one', () => {
    const lost = ofExternalEtcd();
    const spec = { ...(lost.spec as object), template: { spec: { containers: [{ name: 'kvstoremesh' }] } } };
    const cluster = clusterWith('crd', '1.20.0', [{ ...lost, spec }]);
    expect(servesFromKvstore(cluster)).toBe(false);
    expect(serveFaults(cluster, { now: NOW }).map(({ id }) => id)).toContain('container-missing');
  });
});

describe('no hint has a cluster enabled that enable refuses', () => {
  const cluster = clusterWith('kvstore');

  it('where connect finds it not enabled', () => {
    expect(() => requireEnabled([cluster])).toThrow(
      expect.objectContaining({ hint: expect.stringMatching(/meshctl explain cluster-identity$/) }),
    );
  });

  it('where another one is to be connected to it', () => {
    const connect = 'meshctl clustermesh connect --context two --destination-context one';
    expect(enabledFirst(connect, notReadyAmong([cluster], NOW))).toBe(`once context "one" can be enabled: ${connect}`);
  });
});
