import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { KubeObject, ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import { applyLeaseRef } from '../../src/mesh/objects/names.ts';
import { workingAnnotation } from '../../src/mesh/working-runs.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { found, refs } from '../support/sandbox-mesh.ts';

/** What a disconnect has taken out, and somebody puts back while it waits for that to take effect. */
let clusters: ConnectClusters;

const PAIR = ['--context', 'mesh-1', '--destination-context', 'mesh-2'];
const FILE = refs.secret('cilium-clustermesh');
const CACHE = refs.secret('cilium-kvstoremesh');
const USERS = refs.configMap('clustermesh-remote-users');
const LEASE = applyLeaseRef('kube-system');

beforeAll(async () => {
  clusters = await startConnectClusters(2);
});
beforeEach(async () => {
  for (const { store } of clusters.clusters) if (store.get(LEASE)) store.delete(LEASE);
  await clusters.meshctl.ok(connect('mesh-1', 'mesh-2', '--yes'));
});
afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

/** Of a run that is at work: that of connect. */
function markOfConnect(): KubeObject {
  const since = new Date();
  const until = new Date(since.getTime() + 60_000);
  const run = { run: 'abcd', command: 'connect', host: 'elsewhere', peers: ['mesh-2'], isRollingBack: false } as const;
  const annotations = workingAnnotation('abcd', { ...run, since, until }) as Record<string, string>;
  const { apiVersion, kind, name, namespace = '' } = LEASE;
  return { apiVersion, kind, metadata: { name, namespace, annotations } };
}

interface Case {
  /** What is put back, in which cluster. */
  back: Readonly<Record<string, readonly ObjectRef[]>>;
  by: string;
  /** Whether a connect is at work then, or a tool makes what is put back. */
  beside?: 'connect' | 'argocd';
  error: RegExp;
  stands: readonly string[];
}

const ALL = [FILE, CACHE, USERS];
const NOT_DIALLED = (of: string, peer: string) => `context "${of}": it does not dial ${peer} any more`;
const SHUT_OUT = (of: string, peer: string) => `context "${of}": it has no user for ${peer} any more`;
const WHOLE = (of: string, peer: string) => `${NOT_DIALLED(of, peer)}, and it has no user for ${peer} any more`;

const CASES: Record<string, Case> = {
  'a file, by a tool that makes its Secret': {
    back: { 'mesh-1': [FILE] },
    ...{ by: 'argocd-controller', beside: 'argocd' },
    error:
      /^✖ context "mesh-1": mesh-2 in Secret kube-system\/cilium-clustermesh: someone else has put it there again meanwhile\n {2}→ Argo CD makes Secret kube-system\/cilium-clustermesh: /m,
    stands: [SHUT_OUT('mesh-1', 'mesh-2'), WHOLE('mesh-2', 'mesh-1')],
  },
  'a user, by hand': {
    back: { 'mesh-2': [USERS] },
    by: 'kubectl-edit',
    error:
      /^✖ context "mesh-2": user remote-mesh-1 in ConfigMap .+: someone else has put it there again meanwhile\n {2}→ Find out who else changes this cluster \(kubectl-edit wrote there\), then run the same command again\.$/m,
    stands: [WHOLE('mesh-1', 'mesh-2'), NOT_DIALLED('mesh-2', 'mesh-1')],
  },
  'all of it, by a connect that has ended': {
    back: { 'mesh-1': ALL, 'mesh-2': ALL },
    by: 'meshctl',
    error:
      /^✖ context "mesh-1": .+; context "mesh-2": .+: another run of meshctl has put it there again meanwhile\n {2}→ Once that one has ended, run the same command again/m,
    stands: [],
  },
  'all of it, by a connect that is at work': {
    back: { 'mesh-1': ALL, 'mesh-2': ALL },
    ...{ by: 'meshctl', beside: 'connect' },
    error: /another run, connect on elsewhere, has put it there again meanwhile\n {2}→ Once that one has ended, run/,
    stands: [],
  },
};

it.each(Object.entries(CASES))('%s', async (_what, { back, by, beside, error, stands }) => {
  const was = clusters.clusters.map(({ context, store }) => ({
    store,
    objects: (back[context] ?? []).map((ref) => structuredClone(found(store.get(ref), ref.name))),
  }));
  let isBack = false;
  const putBack = () => {
    isBack = true;
    for (const { store, objects } of was) {
      if (beside === 'connect') store.create(markOfConnect(), 'meshctl');
      for (const { apiVersion, kind, data, metadata } of objects) {
        const tracked = beside === 'argocd' ? { 'argocd.argoproj.io/tracking-id': 'cilium' } : {};
        store.update(
          { apiVersion, kind, name: metadata.name, namespace: metadata.namespace },
          (live) => {
            live.data = data as object;
            live.metadata.annotations = { ...metadata.annotations, ...tracked };
          },
          by,
        );
      }
    }
  };
  const onOutput = (text: string) => {
    if (!isBack && text.includes('Waiting until the peers are shut out')) putBack();
  };
  const argv = ['clustermesh', 'disconnect', ...PAIR, '--yes', '--wait-duration', '10s'];
  const { exitCode, stderr } = await clusters.meshctl(argv, { onOutput });
  expect({ exitCode, isBack }, stderr).toEqual({ exitCode: 1, isBack: true });
  expect(stderr).toMatch(error);
  const said = [...stderr.matchAll(/^⚠ (.+); that is kept, nothing is rolled back$/gm)].map(([, words]) => words);
  expect(said, stderr).toEqual(stands);
  expect(stderr).not.toContain('could not verify');
});
