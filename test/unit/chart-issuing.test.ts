import { describe, expect, it } from 'vitest';
import {
  chartApplier,
  type IssuingMethod,
  issuingMethod,
  issuingNotes,
  rendersUnseen,
} from '../../src/mesh/enable/helm/chart-issuing.ts';
import { handOverCommand, mayConflict } from '../../src/mesh/enable/helm/hand-over.ts';
import { requireOwnHelm } from '../../src/mesh/enable/helm/safety.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { secretObject, snapshotOf } from '../support/snapshots.ts';

const CA = 'cilium-ca';
const SERVER = 'clustermesh-apiserver-server-cert';
const AGENTS = 'cilium';

/** How each one marks what it has made. */
const MARKS: Readonly<Record<string, Partial<KubeObject['metadata']>>> = {
  Helm: { annotations: { 'meta.helm.sh/release-name': 'cilium' } },
  'Flux’s Helm': { labels: { 'helm.toolkit.fluxcd.io/name': 'cilium' } },
  Flux: { labels: { 'kustomize.toolkit.fluxcd.io/name': 'infra' } },
  'Argo CD': { annotations: { 'argocd.argoproj.io/tracking-id': 'cilium:x' } },
  'Terraform’s Helm': {
    annotations: { 'meta.helm.sh/release-name': 'cilium' },
    managedFields: [{ manager: 'terraform-provider-helm_v3.0.2_x5', operation: 'Update' }],
  },
  Terraform: { managedFields: [{ manager: 'Terraform', operation: 'Apply' }] },
  certgen: { managedFields: [{ manager: 'cilium-certgen', operation: 'Update' }] },
  'cert-manager': { annotations: { 'cert-manager.io/certificate-name': 'c' } },
  meshctl: { labels: { 'app.kubernetes.io/managed-by': 'meshctl' } },
  nobody: {},
};

/** A cluster in which these have made its objects. */
function cluster(makers: Readonly<Record<string, string>>) {
  const daemonSet = (name: string): KubeObject => ({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name, namespace: 'kube-system' },
  });
  const live = Object.entries(makers).map(([name, maker]) => {
    const object = name === AGENTS ? daemonSet(name) : secretObject(name, {});
    return { ...object, metadata: { ...object.metadata, ...MARKS[maker] } };
  });
  return snapshotOf({ live });
}

describe('who issues by the chart', () => {
  it.each<[method: IssuingMethod, makers: Readonly<Record<string, string>>]>([
    ['helm', {}],
    ['helm', { [AGENTS]: 'Helm', [CA]: 'Helm' }],
    ['helm', { [AGENTS]: 'Helm', [CA]: 'meshctl', [SERVER]: 'meshctl' }],
    ['helm', { [AGENTS]: 'Helm', [CA]: 'nobody' }],
    // Its controller asks the cluster.
    ['helm', { [AGENTS]: 'Flux’s Helm', [CA]: 'Flux’s Helm' }],
    ['helm', { [AGENTS]: 'Terraform’s Helm', [CA]: 'Terraform’s Helm' }],
    // Helm deletes what it has made and makes no longer.
    ['helm', { [AGENTS]: 'Helm', [CA]: 'certgen', [SERVER]: 'Helm' }],
    ['certmanager', { [AGENTS]: 'Helm', [CA]: 'certgen', [SERVER]: 'cert-manager' }],
    ['certmanager', { [AGENTS]: 'Argo CD', [SERVER]: 'cert-manager' }],
    ['cronJob', { [AGENTS]: 'Helm', [CA]: 'certgen', [SERVER]: 'certgen' }],
    ['cronJob', { [AGENTS]: 'Helm', [CA]: 'nobody', [SERVER]: 'certgen' }],
    ['cronJob', { [AGENTS]: 'Helm', [CA]: 'certgen', [SERVER]: 'meshctl' }],
    ['cronJob', { [AGENTS]: 'Helm', [CA]: 'Terraform', [SERVER]: 'meshctl' }],
    ['cronJob', { [AGENTS]: 'Argo CD' }],
    ['cronJob', { [AGENTS]: 'Argo CD', [CA]: 'meshctl', [SERVER]: 'meshctl' }],
    ['cronJob', { [AGENTS]: 'Argo CD', [CA]: 'Argo CD', [SERVER]: 'Argo CD' }],
    ['cronJob', { [AGENTS]: 'Flux', [CA]: 'nobody' }],
  ])('%s, where these have made what there is: %j', (method, makers) => {
    expect(issuingMethod(cluster(makers))).toBe(method);
  });

  it.each<[maker: string, is: { applies: boolean; unseen: boolean }]>([
    ['nobody', { applies: false, unseen: false }],
    ['Helm', { applies: false, unseen: false }],
    ['Flux’s Helm', { applies: true, unseen: false }],
    ['Terraform’s Helm', { applies: true, unseen: false }],
    ['Argo CD', { applies: true, unseen: true }],
    ['Terraform', { applies: true, unseen: true }],
  ])(
    'whether %s applies the chart, and without asking the cluster: then a helm upgrade by hand is refused',
    (maker, is) => {
      const applier = chartApplier(cluster({ [AGENTS]: maker }));
      const refusing = expect(() => requireOwnHelm(cluster({ [AGENTS]: maker }), 'LINE'));
      if (is.applies) {
        refusing.toThrow(
          expect.objectContaining({
            message: expect.stringContaining("applies Cilium's chart, so "),
            hint: expect.stringMatching(/: LINE$/),
          }),
        );
      } else refusing.not.toThrow();
      expect({ applies: applier !== undefined, unseen: rendersUnseen(applier) }).toEqual(is);
    },
  );

  it('is not who applies what meshctl has printed', () => {
    const deployment = (labels: Record<string, string>): KubeObject => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'clustermesh-apiserver', namespace: 'kube-system', ...MARKS['Argo CD'], labels },
    });
    expect(chartApplier(snapshotOf({ live: [deployment({})] }))?.kind).toBe('argo-cd');
    const printed = deployment({ 'app.kubernetes.io/managed-by': 'meshctl' });
    expect(chartApplier(snapshotOf({ live: [printed] }))).toBeUndefined();
  });

  it('is said of what renders without the cluster, with what keeps the Secrets that it has made', () => {
    expect(issuingNotes(cluster({ [AGENTS]: 'Helm', [CA]: 'certgen' }))).toEqual([]);
    expect(issuingNotes(cluster({ [AGENTS]: 'Argo CD', [CA]: 'meshctl' }))).toEqual([
      expect.stringMatching(/^Argo CD renders the chart without asking the cluster/),
    ]);
    const [, keep, ca] = issuingNotes(cluster({ [AGENTS]: 'Argo CD', [CA]: 'Argo CD', [SERVER]: 'Argo CD' }));
    expect(keep).toMatch(
      /annotate --overwrite secret\/cilium-ca secret\/\S+-server-cert \S+\/sync-options=Prune=false$/,
    );
    expect(ca).toContain('hubble.tls.auto.method');
  });
});

describe('what is handed over to Helm', () => {
  const words = (makers: Readonly<Record<string, string>>) => {
    const makes = { users: true, peers: false, certificates: issuingMethod(cluster(makers)) === 'helm' };
    return handOverCommand(cluster(makers), makes, 'cilium')?.match(/secret\/[\w-]+(?=.*&&)/g);
  };

  it('is a CA that came by hand, also where nothing is meshctl’s', () => {
    expect(words({ [AGENTS]: 'Helm', [CA]: 'nobody' })).toEqual([`secret/${CA}`]);
  });

  it('is nothing that the chart leaves to certgen', () => {
    expect(words({ [AGENTS]: 'Helm', [CA]: 'certgen', [SERVER]: 'meshctl' })).toBeUndefined();
    expect(words({ [AGENTS]: 'Helm', [CA]: 'nobody', [SERVER]: 'certgen' })).toBeUndefined();
  });

  it.each<[helm: 'Apply' | 'Update', writer: string, secret: string, may: boolean]>([
    ['Apply', 'meshctl', SERVER, true],
    ['Apply', 'helm', SERVER, false],
    // The chart makes none then.
    ['Apply', 'meshctl', 'cilium-kvstoremesh', false],
    ['Update', 'meshctl', SERVER, false],
  ])(
    'is refused to a Helm that writes by %s without force, where %s has written %s: %s',
    (operation, writer, secret, may) => {
      const fieldsV1 = { 'f:metadata': { 'f:annotations': { 'f:meta.helm.sh/release-name': {} } } };
      const { objects, namespace } = cluster({ [AGENTS]: 'Helm', [secret]: 'Helm' });
      for (const { kind, metadata } of objects.values()) {
        const isAgents = kind === 'DaemonSet';
        metadata.managedFields = isAgents ? [{ manager: 'helm', operation, fieldsV1 }] : [{ manager: writer }];
      }
      expect(mayConflict({ objects, namespace }, { users: true, peers: false, certificates: true })).toBe(may);
    },
  );

  it('is no Secret of another', () => {
    expect(words({ [CA]: 'meshctl', [SERVER]: 'cert-manager', 'cilium-kvstoremesh': 'meshctl' })).toBeUndefined();
  });
});
