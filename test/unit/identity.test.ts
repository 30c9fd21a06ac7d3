import { describe, expect, it } from 'vitest';
import { podMarks, requireOwnIdentity, settleIdentity } from '../../src/mesh/apiserver/pod-marks.ts';
import { POD_CLUSTER_ANNOTATION } from '../../src/mesh/apiserver/recorded-identity.ts';
import { ciliumMissing } from '../../src/mesh/cilium/cilium-missing.ts';
import { checkClusterName } from '../../src/mesh/cilium/cluster-name.ts';
import { checkClusterId, requireIdentity } from '../../src/mesh/cilium/identity.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { apiserverDeployment, snapshotOf, tlsFacts } from '../support/snapshots.ts';

function errorOf(work: () => unknown): MeshctlError {
  try {
    work();
  } catch (error) {
    if (error instanceof MeshctlError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('checkClusterName', () => {
  it.each(['a', 'mesh-1', '1', 'a'.repeat(32)])('accepts %s', (name) => {
    expect(checkClusterName(name)).toBeUndefined();
  });

  it.each(['default', '', '-a', 'a-', 'Mesh', 'a.b', 'a'.repeat(33)])('refuses "%s"', (name) => {
    expect(checkClusterName(name)).toEqual(expect.any(String));
  });
});

describe('checkClusterId', () => {
  it.each([
    [1, 255],
    [255, 255],
    [511, 511],
  ])('accepts %i of %i', (id, max) => {
    expect(checkClusterId(id, max)).toBeUndefined();
  });

  it.each([
    [0, 255],
    [256, 255],
    [512, 511],
    [-1, 255],
    [1.5, 255],
    [Number.NaN, 255],
  ])('refuses %d of %i', (id, max) => {
    expect(checkClusterId(id, max)).toEqual(expect.any(String));
  });
});

describe('requireIdentity', () => {
  it('reads name, id and size with their defaults', () => {
    expect(requireIdentity(snapshotOf())).toEqual({ name: 'mesh-1', id: 1, maxConnectedClusters: 255 });
  });

  it.each([
    ['the default name', { 'cluster-id': '1' }, 'ClusterIdentity', 'cluster name "default"'],
    ['no id', { 'cluster-name': 'mesh-1' }, 'ClusterIdentity', 'cluster id 0'],
    ['an id that is no number', { 'cluster-name': 'mesh-1', 'cluster-id': 'x' }, 'ClusterIdentity', 'cluster id "x"'],
    ['an id with a blank', { 'cluster-name': 'mesh-1', 'cluster-id': '1 ' }, 'ClusterIdentity', 'cluster id "1 "'],
    ['an id out of range', { 'cluster-name': 'mesh-1', 'cluster-id': '300' }, 'ClusterIdentity', 'from 1 to 255'],
    [
      'an external kvstore',
      { 'cluster-name': 'mesh-1', 'cluster-id': '1', 'identity-allocation-mode': 'kvstore' },
      'ClusterIdentity',
      'external kvstore',
    ],
    [
      'an impossible size',
      { 'cluster-name': 'mesh-1', 'cluster-id': '1', 'max-connected-clusters': '300' },
      'ClusterIdentity',
      'max-connected-clusters is 255 or 511',
    ],
  ])('refuses %s, naming the context and the fix', (_case, ciliumConfig, code, says) => {
    const error = errorOf(() => requireIdentity(snapshotOf({ ciliumConfig })));
    expect(error.code).toBe(code);
    expect(error.message).toContain('context "one"');
    expect(error.message).toContain(says);
    expect(error.hint).toBeTruthy();
  });

  it('refuses a cluster without Cilium', () => {
    const error = errorOf(() => requireIdentity(snapshotOf({ ciliumConfig: undefined, agent: undefined })));
    expect(error.code).toBe('CiliumMissing');
    expect(error.message).toContain('ConfigMap cilium-config');
  });
});

/** A cluster that was set up as mesh-2 with the id 2, and what its cilium-config says by now. */
function setUpAsTwo(ciliumConfig: Record<string, string> | undefined, mark: 'pods' | 'certificate' = 'pods') {
  const deployment = apiserverDeployment() as KubeObject & { spec: { template: { metadata: object } } };
  if (mark === 'pods') deployment.spec.template.metadata = { annotations: { 'meshctl.io/cluster': 'mesh-2/2' } };
  const admin = tlsFacts('ca-one', { commonName: 'admin-mesh-2' });
  const tlsSecrets = new Map([['clustermesh-apiserver-admin-cert', admin]]);
  return snapshotOf({ context: 'eks', ciliumConfig, live: [deployment], tlsSecrets });
}

describe('pods that have no mark of their cluster', () => {
  const marks = (servedId: number | undefined, mark: 'pods' | 'certificate', name = 'mesh-2') => {
    const snapshot = { ...setUpAsTwo({ 'cluster-name': name, 'cluster-id': '2' }, mark), servedId };
    return podMarks({
      ...{ snapshot, identity: { name, id: 2 }, certificates: [], ca: undefined },
      ...{ replacesCa: false, now: new Date(0) },
    })[POD_CLUSTER_ANNOTATION];
  };

  it.each([
    ['are not replaced for one where they run as they shall', 2, 'certificate', 'mesh-2', undefined],
    ['get one where their etcd has another id', 3, 'certificate', 'mesh-2', 'mesh-2/2'],
    ['get one where no etcd tells', undefined, 'certificate', 'mesh-2', 'mesh-2/2'],
    ['get one where they have another name', 2, 'certificate', 'west', 'west/2'],
    ['keep the one that they have', undefined, 'pods', 'mesh-2', 'mesh-2/2'],
  ] as const)('%s', (_what, servedId, mark, name, wanted) => {
    expect(marks(servedId, mark, name)).toBe(wanted);
  });
});

const PUT_BACK = "kubectl --context eks -n kube-system patch configmap cilium-config --type merge --patch '";
const gke = snapshotOf({ context: 'gke', ciliumConfig: { 'cluster-name': 'mesh-1', 'cluster-id': '1' } });

describe('a cluster whose cilium-config was changed under it', () => {
  it.each([
    ['no name', 'pods', { 'cluster-id': '2' }, `{"data":{"cluster-name":"mesh-2"}}`],
    ['no name, set up by another tool', 'certificate', { 'cluster-id': '2' }, `{"data":{"cluster-name":"mesh-2"}}`],
    ['no id', 'pods', { 'cluster-name': 'mesh-2' }, `{"data":{"cluster-id":"2"}}`],
    ['nothing', 'pods', {}, `{"data":{"cluster-name":"mesh-2","cluster-id":"2"}}`],
  ] as const)(
    'that has %s (%s) gets back what it was set up with, and nothing is restarted before',
    (_, mark, ciliumConfig, data) => {
      const { hint } = errorOf(() => requireIdentity(setUpAsTwo({ ...ciliumConfig }, mark)));
      expect(hint?.endsWith(`: ${PUT_BACK}${data}'`)).toBe(true);
      expect(hint).not.toMatch(/rollout|enable|mesh-1/);
    },
  );

  it.each([
    ['another name', { 'cluster-name': 'west', 'cluster-id': '2' }, []],
    ['another name, beside others', { 'cluster-name': 'west', 'cluster-id': '2' }, [gke]],
  ])('that has %s goes back or lets everything follow', (_, ciliumConfig, others) => {
    const hint = settleIdentity(setUpAsTwo(ciliumConfig), others);
    expect(hint).toContain(`${PUT_BACK}{"data":{"cluster-name":"mesh-2"}}'; or make everything follow`);
    expect(hint).toMatch(
      /rollout restart daemonset\/cilium deployment\/cilium-operator && meshctl clustermesh enable --context eks$/,
    );
  });

  it.each([
    ["a peer's id", { 'cluster-name': 'mesh-2', 'cluster-id': '1' }, 'the id 1', '{"data":{"cluster-id":"2"}}'],
    [
      "a peer's name",
      { 'cluster-name': 'mesh-1', 'cluster-id': '2' },
      'the name "mesh-1"',
      '{"data":{"cluster-name":"mesh-2"}}',
    ],
  ])('that has %s is refused by enable, and there is only the way back', (_, ciliumConfig, what, data) => {
    const snapshot = setUpAsTwo(ciliumConfig);
    expect(settleIdentity(snapshot, [gke]).endsWith(`${PUT_BACK}${data}'`)).toBe(true);
    const error = errorOf(() => requireOwnIdentity(snapshot, ['mesh-1'], [gke, snapshot]));
    expect(error).toMatchObject({
      code: 'ClusterIdentity',
      message: `context "eks": cilium-config has ${what} of its peer "mesh-1" (context "gke")`,
    });
    expect(error.hint?.endsWith(`${PUT_BACK}${data}'`)).toBe(true);
  });

  it('that shares an id with a cluster which is no peer is not refused', () => {
    requireOwnIdentity(setUpAsTwo({ 'cluster-name': 'mesh-2', 'cluster-id': '1' }), ['mesh-3'], [gke]);
  });
});

it.each([
  ['admin@Prod_b', /cluster\.name=admin-prod-b\)/],
  ['default', /cluster\.name=NAME\)/],
])('a cluster without a name, context %s, is not advised to take that of another one', (context, name) => {
  expect(errorOf(() => requireIdentity(snapshotOf({ context, ciliumConfig: { 'cluster-id': '1' } }))).hint).toMatch(
    name,
  );
});

describe('ciliumMissing', () => {
  it('tells a Cilium that has lost its ConfigMap from none', () => {
    const none = ciliumMissing(snapshotOf({ ciliumConfig: undefined, agent: undefined }));
    expect(none).toMatchObject({ hint: expect.stringContaining('Install Cilium first') });
    const lost = errorOf(() => requireIdentity(setUpAsTwo(undefined)));
    expect(lost).toMatchObject({
      code: 'CiliumMissing',
      message: 'context "eks": Cilium runs in namespace kube-system, but its ConfigMap cilium-config is missing',
    });
    expect(lost.hint).toMatch(/^Restore it .*cluster-name was "mesh-2", cluster-id was "2"/);
    expect(lost.hint).not.toContain('Install Cilium first');
  });

  it('and from one that has lost its DaemonSet, whose clustermesh-apiserver is still there', () => {
    const config = { 'cluster-name': 'mesh-1', 'cluster-id': '1' };
    const of = (live: KubeObject[]) => ciliumMissing(snapshotOf({ ciliumConfig: config, agent: undefined, live }));
    expect(of([]).hint).toContain('Install Cilium first');
    expect(of([apiserverDeployment()])).toMatchObject({
      message: expect.stringMatching(/Cilium is in use in namespace kube-system, but its DaemonSet cilium is missing$/),
      hint: expect.stringMatching(/^Restore it .* do not reinstall Cilium over the one that runs\.$/),
    });
  });
});
