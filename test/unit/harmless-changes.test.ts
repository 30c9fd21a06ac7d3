import { describe, expect, it } from 'vitest';
import { isHarmless, servesPeers } from '../../src/mesh/enable/effects/harmless-changes.ts';

const POD = 'spec.template.spec';
const ARGS = `${POD}.containers[etcd].args`;

describe('a change that no peer notices', () => {
  it.each<[kind: string, path: string, from: unknown, to: unknown, is: boolean]>([
    ['Deployment', 'spec.replicas', 1, 3, true],
    ['Deployment', 'spec.replicas', 3, 1, true],
    ['Deployment', 'spec.replicas', 1, 0, false],
    ['Deployment', ARGS, ['a', '--log-level=info'], ['a', '--log-level=debug', '--metrics=extensive'], true],
    ['Deployment', ARGS, ['a', '--debug'], ['a'], true],
    ['Deployment', ARGS, ['a', '--client-cert-auth'], ['a'], false],
    ['Deployment', ARGS, ['a'], ['b'], false],
    ['Deployment', `${POD}.tolerations`, [], [{ operator: 'Exists' }], true],
    ['Deployment', `${POD}.tolerations`, [{ key: 'a' }, { key: 'b' }], [{ key: 'b' }], false],
    ['Deployment', `${POD}.containers[etcd].image`, 'a:1', 'a:2', true],
    ['Deployment', `${POD}.containers[etcd].resources.requests.cpu`, '1', '2', true],
    ['Deployment', `${POD}.containers[etcd]`, {}, undefined, false],
    ['Deployment', `${POD}.containers[etcd].imagePull`, 'a', 'b', false],
    ['Deployment', `${POD}.priorityClassName`, 'a', 'b', false],
    ['Deployment', 'spec.template.metadata.annotations.example.com/team', 'a', 'b', true],
    ['Deployment', 'spec.template.metadata.annotations.sidecar.istio.io/inject', undefined, 'true', false],
    ['Deployment', 'metadata.annotations.example.com/team', 'a', 'b', true],
    ['Service', 'metadata.labels.team', 'a', 'b', true],
    ['Service', 'metadata.annotations.meshctl.io/set', 'a', 'b', true],
    ['Service', 'metadata.annotations.service.beta.kubernetes.io/x', 'a', 'b', false],
    ['Service', 'spec.selector.k8s-app', 'a', 'b', false],
    ['Service', 'spec.sessionAffinity', 'None', 'ClientIP', true],
    ['Service', 'spec.externalTrafficPolicy', 'Local', 'Cluster', true],
    ['Service', 'spec.externalTrafficPolicy', 'Cluster', 'Local', false],
    ['ClusterRole', 'rules[0].verbs', ['get'], ['list'], false],
    ['ClusterRoleBinding', 'roleRef.name', 'a', 'b', false],
    ['ServiceAccount', 'imagePullSecrets', [], [{ name: 'a' }], true],
    ['NetworkPolicy', 'spec.ingress', [], [{}], false],
  ])('%s %s: %j → %j: %s', (kind, path, from, to, is) => {
    expect(isHarmless({ kind }, { path, from, to })).toBe(is);
  });

  it('is any of what serves no peer', () => {
    const serving = (kind: string, name = 'clustermesh-apiserver') => servesPeers({ kind, name });
    expect(['Service', 'Deployment', 'NetworkPolicy'].map((kind) => serving(kind))).toEqual([true, true, true]);
    expect(serving('Service', 'clustermesh-apiserver-metrics')).toBe(false);
    expect(serving('PodDisruptionBudget')).toBe(false);
  });
});
