import { describe, expect, it } from 'vitest';
import { planDisable } from '../../src/mesh/enable/plan-disable.ts';
import { stayingNotes, stillEnabled } from '../../src/mesh/enable/staying.ts';
import { type KubeObject, keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import { disableText } from '../../src/views/enable/disable-view.ts';
import { PLAIN } from '../support/plain-theme.ts';
import { snapshotOf } from '../support/snapshots.ts';

const NAME = 'clustermesh-apiserver';

function made(kind: string, name: string, metadata: object): KubeObject {
  const apiVersion = kind === 'Deployment' ? 'apps/v1' : 'v1';
  return { apiVersion, kind, metadata: { name, namespace: 'kube-system', ...metadata } };
}

function planned(objects: readonly KubeObject[], keepCertificates = false) {
  const snapshot = snapshotOf({
    context: 'mesh-1',
    objects: new Map(objects.map((object) => [keyOf(refOf(object)), object])),
  });
  const { steps } = planDisable({ snapshot, possible: objects.map(refOf), keepCertificates });
  return { snapshot, steps };
}

const HELM = { annotations: { 'meta.helm.sh/release-name': 'cilium' } };
const OURS = {
  labels: { 'app.kubernetes.io/managed-by': 'meshctl' },
  managedFields: [{ manager: 'meshctl', operation: 'Apply' }],
};

describe('a cluster is not disabled where what serves peers stays', () => {
  it.each<[string, object, string, RegExp]>([
    ['Helm', HELM, 'Helm release cilium', / --set clustermesh\.useAPIServer=false$/],
    ['Argo CD', { annotations: { 'argocd.argoproj.io/tracking-id': 'a' } }, 'Argo CD', /^Remove them there$/],
    ['Flux', { labels: { 'helm.toolkit.fluxcd.io/name': 'c' } }, 'Flux HelmRelease c', /^Remove them there$/],
    [
      'kubectl',
      { managedFields: [{ manager: 'kubectl-create' }] },
      'kubectl-create',
      /kubectl .* delete deployment\/.*$/,
    ],
    [
      'nobody who has marked it',
      {},
      'someone else',
      /kubectl .* delete deployment\/.* service\/clustermesh-apiserver$/,
    ],
  ])('made by %s', (_who, metadata, owner, hint) => {
    const { snapshot, steps } = planned([made('Deployment', NAME, metadata), made('Service', NAME, metadata)]);
    const still = stillEnabled(snapshot, steps);
    expect(still?.says).toBe(`Deployment kube-system/${NAME} and Service kube-system/${NAME} stay: made by ${owner}`);
    expect(still?.hint).toMatch(hint);
    expect(stayingNotes(snapshot, steps)).toHaveLength(1);
    for (const verified of [true, false]) {
      const text = disableText(
        { context: 'mesh-1', name: 'a', steps, verified, untold: [], still, left: undefined },
        PLAIN,
      );
      expect(text).toMatch(/^❌ Cluster Mesh is still enabled in a /);
    }
  });

  it('names each owner', () => {
    const { snapshot, steps } = planned([made('Deployment', NAME, OURS), made('Service', NAME, HELM)]);
    const still = stillEnabled(snapshot, steps);
    expect(still?.says).toBe(`Service kube-system/${NAME} stays: made by Helm release cilium`);
    expect(still?.hint).toMatch(/^Remove it there/);
    expect(stayingNotes(snapshot, steps)).toEqual([
      expect.stringMatching(`^Service kube-system/${NAME} stays: made by Helm release cilium, remove it there`),
    ]);
  });

  it.each<[string, KubeObject[], boolean]>([
    ['metrics of another tool', [made('Deployment', NAME, OURS), made('Service', `${NAME}-metrics`, HELM)], false],
    ['certificates of another tool', [made('Secret', `${NAME}-server-cert`, HELM)], false],
    ['certificates that shall stay', [made('Secret', `${NAME}-server-cert`, OURS)], true],
  ])('but is where only %s stay', (_what, objects, keepCertificates) => {
    const { snapshot, steps } = planned(objects, keepCertificates);
    expect(stillEnabled(snapshot, steps)).toBeUndefined();
  });
});
