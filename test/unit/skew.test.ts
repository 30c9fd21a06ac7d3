import { describe, expect, it } from 'vitest';
import type { ClusterVersions } from '../../src/mesh/cilium/versions/cluster-versions.ts';
import { areSupported, judgeVersions } from '../../src/mesh/cilium/versions/skew.ts';

const cluster = (context: string, versions: Record<string, number>, more: Partial<ClusterVersions> = {}) => ({
  context,
  cluster: context,
  kubernetes: 'v1.33.4',
  agents: Object.entries(versions).map(([version, pods]) => ({
    image: `quay.io/cilium/cilium:v${version}`,
    pods,
    ...(version === 'latest' ? {} : { version }),
  })),
  ...more,
});
const apiserver = (version: string) => ({
  apiserver: { image: `quay.io/cilium/clustermesh-apiserver:v${version}`, version },
});

/** A clustermesh-apiserver of which so many pods of each version run, and what its Deployment has where that is another one. */
const serving = (versions: Record<string, number>, wanted?: string): Partial<ClusterVersions> => {
  const [first, ...others] = cluster('a', versions).agents ?? [];
  const deployment = wanted === undefined ? {} : { wanted: { image: 'clustermesh-apiserver', version: wanted } };
  return first ? { apiserver: { ...first, ...(others.length > 0 ? { others } : {}), ...deployment } } : {};
};

describe('versions', () => {
  it.each<[string, ClusterVersions[], string[], boolean | undefined]>([
    ['are one', [cluster('a', { '1.18.3': 3 }, apiserver('1.18.3')), cluster('b', { '1.18.1': 1 })], [], true],
    ['of clusters are one minor apart', [cluster('a', { '1.18.3': 3 }), cluster('b', { '1.19.0': 1 })], [], true],
    [
      'of clusters are two minors apart',
      [cluster('a', { '1.18.3': 3 }), cluster('b', { '1.19.0': 1 }), cluster('c', { '1.20.0': 1 })],
      ['fail version-skew a,c'],
      false,
    ],
    [
      'of clusters are two minors apart where one is being upgraded',
      [cluster('a', { '1.18.3': 3 }), cluster('b', { '1.19.0': 4, '1.20.0': 1 })],
      ['warn agents-skew b', 'fail version-skew a,b'],
      false,
    ],
    ['of a cluster are on their way', [cluster('a', { '1.18.3': 1, '1.19.0': 2 })], ['warn agents-skew a'], true],
    [
      'are not what the DaemonSet has',
      [cluster('a', { '1.18.3': 2 }, { held: { image: 'cilium:v1.19.0', version: '1.19.0' } })],
      ['warn agents-waiting a'],
      true,
    ],
    ['of a cluster are two minors apart', [cluster('a', { '1.18.3': 1, '1.20.0': 2 })], ['fail agents-skew a'], false],
    ['of patches do not count', [cluster('a', { '1.18.3': 1, '1.18.4': 2 }, apiserver('1.18.0'))], [], true],
    [
      'leave the clustermesh-apiserver behind',
      [cluster('a', { '1.19.1': 3 }, apiserver('1.18.3'))],
      ['fail apiserver-skew a'],
      false,
    ],
    [
      'have the clustermesh-apiserver go with one half of an upgrade',
      [cluster('a', { '1.18.3': 1, '1.19.0': 2 }, apiserver('1.19.0'))],
      ['warn agents-skew a'],
      true,
    ],
    [
      'are of agents that do not run',
      [cluster('a', { '1.18.3': 3 }), cluster('b', {})],
      ['warn agents-none b'],
      undefined,
    ],
    [
      'are of clusters without Cilium too',
      [cluster('a', { '1.18.3': 3 }), cluster('b', {}, { cluster: undefined })],
      [],
      true,
    ],
    ['are too old', [cluster('a', { '1.15.9': 1 }, { kubernetes: 'v1.27.0' })], ['fail cilium-range a'], false],
    ['are newer than all that is known', [cluster('a', { '1.22.0': 1 })], ['warn cilium-range a'], true],
    [
      'are not tested with this Kubernetes, older',
      [cluster('a', { '1.20.0': 1 }, { kubernetes: 'v1.32.9-eks-1' })],
      ['warn kubernetes-tested a'],
      true,
    ],
    [
      'are not tested with this Kubernetes, newer',
      [cluster('a', { '1.16.4': 1 }, { kubernetes: 'v1.31.0+k3s1' })],
      ['warn kubernetes-tested a'],
      true,
    ],
    ['are not all known', [cluster('a', { latest: 1, '1.18.0': 1 })], ['warn version-unknown a'], undefined],
    [
      'are not known of the clustermesh-apiserver',
      [cluster('a', { '1.18.0': 1 }, { apiserver: { image: 'clustermesh-apiserver:latest' } })],
      ['warn version-unknown a'],
      undefined,
    ],
    [
      'of the clustermesh-apiserver are of pods, of which its Deployment has another one',
      [cluster('a', { '1.20.0': 3 }, serving({ '1.18.3': 1 }, '1.20.0'))],
      ['warn apiserver-rollout a', 'fail apiserver-skew a'],
      false,
    ],
    [
      'of the clustermesh-apiserver are on their way',
      [cluster('a', { '1.19.0': 1, '1.20.0': 2 }, serving({ '1.19.0': 1, '1.20.0': 1 }, '1.20.0'))],
      ['warn apiserver-rollout a', 'warn agents-skew a'],
      true,
    ],
    [
      'of one of two pods of the clustermesh-apiserver are apart',
      [cluster('a', { '1.20.0': 3 }, serving({ '1.20.0': 1, '1.19.0': 1 }, '1.20.0'))],
      ['warn apiserver-rollout a', 'fail apiserver-skew a'],
      false,
    ],
    [
      'are not known of one of two pods of the clustermesh-apiserver',
      [cluster('a', { '1.20.0': 3 }, serving({ '1.20.0': 1, latest: 1 }))],
      ['warn version-unknown a'],
      undefined,
    ],
    [
      'are to be others, of agents that do not run',
      [cluster('a', { '1.20.0': 2 }, { waiting: [{ image: 'cilium:v1.17.3', version: '1.17.3', pods: 1 }] })],
      ['warn agents-waiting a'],
      true,
    ],
    ['may not be read', [cluster('a', {}, { agents: undefined }), cluster('b', { '1.18.0': 1 })], [], undefined],
    ['are none', [cluster('a', {})], ['warn agents-none a'], undefined],
  ])('%s', (_when, clusters, expected, supported) => {
    const findings = judgeVersions(clusters);
    expect(findings.map(({ severity, id, contexts }) => `${severity} ${id} ${contexts}`)).toEqual(expected);
    expect(areSupported(clusters, findings)).toBe(supported);
  });

  it('are named with their context, and the command that mends the clustermesh-apiserver', () => {
    const [finding] = judgeVersions([cluster('gke eu', { '1.19.1': 3 }, apiserver('1.18.3'))]);
    expect(finding?.message).toContain('context "gke eu": the clustermesh-apiserver is 1.18.3, the agents are 1.19');
    expect(finding?.hint).toMatch(/: meshctl clustermesh enable --context 'gke eu'$/);
  });
});
