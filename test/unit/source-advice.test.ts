import { describe, expect, it } from 'vitest';
import { helmValues } from '../../src/mesh/enable/helm/values.ts';
import { requireNoConflicts } from '../../src/mesh/enable/plan-enable.ts';
import type { EnableSettings } from '../../src/mesh/enable/settings.ts';
import { chartValueOf, isAmongHelmValues } from '../../src/mesh/objects/chart-values.ts';
import { type KubeObject, type ObjectMeta, refOf } from '../../src/mesh/objects/kube-object.ts';
import { lastingFields, lastingPeers, sourceEdits } from '../../src/mesh/objects/source-advice.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
import { snapshotOf } from '../support/snapshots.ts';

const APISERVER = 'clustermesh-apiserver';
const POD = 'spec.template.spec.';
const OF = 'clustermesh.apiserver.';

const FIELDS: [kind: string, name: string, path: string, value: string | undefined][] = [
  ['Service', APISERVER, 'spec.type', `${OF}service.type`],
  ['Service', APISERVER, 'spec.ports[2379/TCP].nodePort', `${OF}service.nodePort`],
  ['Service', APISERVER, 'metadata.annotations.example.com/a', `${OF}service.annotations`],
  ['Service', APISERVER, 'spec.loadBalancerSourceRanges', `${OF}service.loadBalancerSourceRanges`],
  ['Service', APISERVER, 'spec.externalTrafficPolicy', `${OF}service.externalTrafficPolicy`],
  ['Service', APISERVER, 'spec.loadBalancerClass', `${OF}service.loadBalancerClass`],
  ['Service', APISERVER, 'spec.loadBalancerIP', `${OF}service.loadBalancerIP`],
  ['Service', APISERVER, 'spec.selector', undefined],
  ['Deployment', APISERVER, 'spec.replicas', `${OF}replicas`],
  ['Deployment', APISERVER, `${POD}containers[apiserver].image`, `${OF}image`],
  ['Deployment', APISERVER, `${POD}initContainers[etcd-init].image`, `${OF}image`],
  ['Deployment', APISERVER, `${POD}containers[apiserver].imagePullPolicy`, `${OF}image.pullPolicy`],
  ['Deployment', APISERVER, `${POD}containers[apiserver].resources.limits.memory`, `${OF}resources`],
  ['Deployment', APISERVER, `${POD}containers[etcd].resources`, `${OF}etcd.resources`],
  ['Deployment', APISERVER, `${POD}containers[kvstoremesh].resources`, `${OF}kvstoremesh.resources`],
  ['Deployment', APISERVER, `${POD}containers[kvstoremesh]`, `${OF}kvstoremesh.enabled`],
  ['Deployment', APISERVER, `${POD}volumes[etcd-data-dir].emptyDir.medium`, `${OF}etcd.storageMedium`],
  ['Deployment', APISERVER, `${POD}tolerations`, `${OF}tolerations`],
  ['Deployment', APISERVER, `${POD}imagePullSecrets`, 'imagePullSecrets'],
  ['Deployment', APISERVER, `${POD}serviceAccountName`, undefined],
  ['PodDisruptionBudget', APISERVER, 'spec.maxUnavailable', `${OF}podDisruptionBudget`],
  ['ServiceMonitor', APISERVER, 'spec.endpoints', `${OF}metrics.serviceMonitor`],
  ['ConfigMap', 'clustermesh-remote-users', 'data.users.yaml[remote-a]', 'clustermesh.config.clusters'],
  ['ConfigMap', 'cilium-config', 'data.cluster-id', 'cluster.id'],
  ['ConfigMap', 'cilium-config', 'data.cluster-name', 'cluster.name'],
  ['ConfigMap', 'cilium-config', 'data.max-connected-clusters', 'clustermesh.maxConnectedClusters'],
  [
    'Secret',
    'clustermesh-apiserver-server-cert',
    'data.tls.crt',
    `${OF}tls.auto.server (before Cilium 1.20: ${OF}tls.server)`,
  ],
  ['ClusterRole', APISERVER, 'rules', undefined],
];

describe('the value of the chart that makes a field', () => {
  it.each(FIELDS)('%s %s: %s', (kind, name, path, value) => {
    expect(chartValueOf({ kind, name }, path)).toBe(value);
  });

  it('is by the name by which helm-values has it', () => {
    const settings = {
      exposure: { type: 'LoadBalancer', annotations: { a: 'b' } },
      ...{ replicas: 2, kvstoremesh: true, nodePort: 32379, loadBalancerClass: 'c', loadBalancerIp: '10.0.0.1' },
      ...{ loadBalancerSourceRanges: ['10.0.0.0/8'], externalTrafficPolicy: 'Local', pullSecrets: ['s'] },
      ...{
        tolerations: [{ operator: 'Exists' }],
        podDisruptionBudget: true,
        serviceMonitor: true,
        etcdStorage: 'memory',
      },
      resources: { apiserver: { limits: {} }, etcd: { limits: {} }, kvstoremesh: { limits: {} } },
    } as unknown as EnableSettings;
    const { values } = helmValues({
      snapshot: snapshotOf(),
      identity: { name: 'mesh-1', id: 1, maxConnectedClusters: 255 },
      install: { version: { major: 1, minor: 20, patch: 0, suffix: '' }, apiserverImage: 'r/i:v1' } as never,
      settings,
      image: 'r/other:v1',
      serviceAddresses: ['10.0.0.1'],
      release: 'cilium',
    });
    const paths = (value: unknown, at: string): string[] =>
      typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
        ? Object.entries(value).flatMap(([key, inner]) => paths(inner, at === '' ? key : `${at}.${key}`))
        : [at];
    // The value of Cilium 1.20, where it was another one before.
    const known = FIELDS.flatMap(([, , , value]) => value?.replace(/ \(.+\)$/, '') ?? []);
    // Whether there is an apiserver, and who makes its certificates, is no field of an object.
    const others = /^clustermesh\.(useAPIServer|config\.enabled|apiserver\.tls\.(authMode|auto\.(enabled|method)))$/;
    expect(known.filter(isAmongHelmValues)).toEqual(known.filter((value) => value !== `${OF}image.pullPolicy`));
    const unknown = paths(values, '').filter(
      (path) => !others.test(path) && !known.some((value) => path === value || path.startsWith(`${value}.`)),
    );
    expect(unknown).toEqual([]);
  });
});

const RELEASE = { annotations: { 'meta.helm.sh/release-name': 'cilium' } };
const HELM_RELEASE = { ...RELEASE, labels: { 'helm.toolkit.fluxcd.io/name': 'cilium' } };
const IN_NAMESPACE = {
  ...RELEASE,
  labels: { ...HELM_RELEASE.labels, 'helm.toolkit.fluxcd.io/namespace': 'flux-system' },
};
const FETCHED =
  'which `flux reconcile kustomization NAME --with-source` fetches at once from the repository that has them';
const KUSTOMIZATION = { labels: { 'kustomize.toolkit.fluxcd.io/name': 'mesh' } };
const BY_TERRAFORM = {
  ...RELEASE,
  managedFields: [
    { manager: 'terraform-provider-helm_v3.0.2_x5', operation: 'Update' as const, fieldsV1: { 'f:data': {} } },
  ],
};
const TRACKED = { annotations: { 'argocd.argoproj.io/tracking-id': 'a' } };

const PRINTED = { ...TRACKED, labels: { 'app.kubernetes.io/managed-by': 'meshctl' } };

const made = (kind: string, name: string, more: Partial<ObjectMeta>): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'kube-system', ...more },
});

describe('what to edit where a tool has the peers from', () => {
  const VALUES = 'must name mesh-2 in clustermesh.config.clusters: meshctl clustermesh helm-values --context one';
  it.each<[string, string, Partial<ObjectMeta>, string]>([
    ['Helm', 'ConfigMap', RELEASE, `its values ${VALUES}`],
    ['Helm', 'Secret', RELEASE, `its values ${VALUES}`],
    ['a HelmRelease of Flux', 'ConfigMap', HELM_RELEASE, `its spec.values ${VALUES.replace(':', `, ${FETCHED}:`)}`],
    ['Terraform’s helm_release', 'ConfigMap', BY_TERRAFORM, `its values ${VALUES}`],
    ['Argo CD', 'ConfigMap', TRACKED, `its values of the chart ${VALUES}`],
    [
      'a Kustomization of Flux',
      'ConfigMap',
      KUSTOMIZATION,
      'its source must have remote-mesh-2 with the role remote in users.yaml, as it will be here: ' +
        'kubectl --context one -n kube-system get configmap/x -o yaml',
    ],
    [
      'a Kustomization of Flux',
      'Secret',
      KUSTOMIZATION,
      'its source must leave the keys of mesh-2 in Secret x to meshctl',
    ],
  ])('%s, a %s', (_who, kind, metadata, advice) => {
    expect(lastingPeers('one', made(kind, 'x', metadata), ['mesh-2'])).toBe(advice);
  });
});

describe('what to edit where a run writes into what a tool makes', () => {
  const REPLICAS = ['Deployment', APISERVER, 'spec.replicas'] as const;
  const AFFINITY = ['Service', 'rebel-base', 'metadata.annotations.service.cilium.io/affinity'] as const;
  const OWN = `its source must say the same (${AFFINITY[2]} of Service rebel-base)`;
  const CERTIFICATE = ['Secret', 'clustermesh-apiserver-admin-cert', 'data.tls.crt'] as const;
  it.each<[string, Partial<ObjectMeta>, readonly [kind: string, name: string, path: string], string[]]>([
    ['Helm', RELEASE, REPLICAS, [`its values must say the same (${OF}replicas): LINE`]],
    [
      'Helm',
      RELEASE,
      ['Service', APISERVER, 'spec.sessionAffinity'],
      [`its values must say the same (${OF}service.enableSessionAffinity, which helm-values leaves out)`],
    ],
    ['Helm', RELEASE, AFFINITY, [OWN]],
    ['Terraform’s helm_release', BY_TERRAFORM, REPLICAS, [`its values must say the same (${OF}replicas): LINE`]],
    [
      'a HelmRelease of Flux',
      IN_NAMESPACE,
      REPLICAS,
      [`its spec.values must say the same (${OF}replicas), ${FETCHED}: LINE`],
    ],
    ['Argo CD', TRACKED, REPLICAS, [`its values of the chart must say the same (${OF}replicas): LINE`]],
    ['Argo CD', TRACKED, AFFINITY, [OWN]],
    [
      'Argo CD, of what meshctl has printed',
      PRINTED,
      REPLICAS,
      [
        expect.stringMatching(
          /^what it applies must say the same \(spec\.replicas of Deployment \S+\): print it again by `clustermesh render`/,
        ),
      ],
    ],
    [
      'a Kustomization of Flux',
      KUSTOMIZATION,
      REPLICAS,
      [`its source must say the same (spec.replicas of Deployment ${APISERVER})`],
    ],
    [
      'a Kustomization of Flux',
      KUSTOMIZATION,
      CERTIFICATE,
      [`its source must leave the keys of Secret ${CERTIFICATE[1]} to meshctl`],
    ],
    [
      'Terraform',
      { managedFields: [{ manager: 'Terraform', operation: 'Apply' }] },
      REPLICAS,
      [`its source must say the same (spec.replicas of Deployment ${APISERVER})`],
    ],
    ['Pulumi', { managedFields: [{ manager: 'pulumi-kubernetes-1', operation: 'Apply' }] }, AFFINITY, [OWN]],
    ['cert-manager', { annotations: { 'cert-manager.io/certificate-name': 'c' } }, CERTIFICATE, []],
    ['certgen', { managedFields: [{ manager: 'cilium-certgen', operation: 'Update' }] }, CERTIFICATE, []],
    ['an operator', {}, REPLICAS, []],
  ])('%s: %j, %j', (_who, metadata, [kind, name, path], clauses) => {
    expect(lastingFields([{ object: made(kind, name, metadata), paths: [path] }], ': LINE')).toEqual(clauses);
  });
});

describe('a HelmRelease of Flux, by the labels that its helm-controller puts on all that it renders', () => {
  const live = (more: Partial<ObjectMeta>): KubeObject => made('Service', 'clustermesh-apiserver', more);
  const conflicts = [{ path: 'spec.type', manager: 'helm-controller' }];
  const step = (before: KubeObject): Step => ({
    ...{ cluster: 'one', action: 'update', changes: [], why: '', before, conflicts },
    object: { apiVersion: 'v1', kind: 'Service', namespace: 'kube-system', name: 'clustermesh-apiserver' },
  });

  it('is named with its namespace, its spec.values, and what fetches them: no reconcile of the HelmRelease does', () => {
    expect(sourceEdits([step(live(IN_NAMESPACE))])).toBe(
      `clustermesh.apiserver.service.type in the spec.values of Flux HelmRelease flux-system/cilium, ${FETCHED}`,
    );
    expect(sourceEdits([step(live(HELM_RELEASE))])).toBe(
      `clustermesh.apiserver.service.type in the spec.values of Flux HelmRelease cilium, ${FETCHED}`,
    );
  });
});

it('is their certificates and keys too, where they have such of their own', () => {
  expect(lastingPeers('one', made('Secret', 'x', RELEASE), ['mesh-2'], 'with-credentials')).toBe(
    'its values must name mesh-2 in clustermesh.config.clusters, with certificates and keys of their own as tls: ' +
      'meshctl clustermesh helm-values --context one',
  );
});

it('is the contrary where they shall go', () => {
  const without = (metadata: Partial<ObjectMeta>) =>
    lastingPeers('one', made('ConfigMap', 'x', metadata), ['mesh-2'], 'without');
  expect(without(RELEASE)).toMatch(/^its values must not name mesh-2 in clustermesh\.config\.clusters: /);
  expect(without(KUSTOMIZATION)).toMatch(
    /^its source must not have remote-mesh-2 in users\.yaml, as it will be here: /,
  );
});

describe('what to edit where a tool has disputed fields from', () => {
  const disputed = (metadata: Partial<ObjectMeta>, ...paths: string[]): Step => {
    const before = made('Service', APISERVER, metadata);
    const conflicts = paths.map((path) => ({ path, manager: 'x' }));
    return { cluster: 'one', object: refOf(before), before, action: 'update', changes: [], why: '', conflicts };
  };

  it.each<[string, Step, string | undefined]>([
    [
      'Helm',
      disputed(RELEASE, 'spec.type', 'spec.ports[0].nodePort'),
      `${OF}service.type, ${OF}service.nodePort in the values of Helm release cilium`,
    ],
    ['what no value makes', disputed(RELEASE, 'spec.selector'), undefined],
    [
      'what meshctl has printed',
      disputed(PRINTED, 'spec.replicas'),
      `spec.replicas of Service ${APISERVER} in what Argo CD applies, which \`clustermesh render\` prints with the flags of enable`,
    ],
    ['manifests', disputed(KUSTOMIZATION, 'spec.type'), `spec.type of Service ${APISERVER} in the source of Flux mesh`],
    ['an operator', disputed({}, 'spec.type'), undefined],
    ['nothing that is disputed', disputed(RELEASE), undefined],
  ])('%s', (_who, step, edits) => {
    expect(sourceEdits([step])).toBe(edits);
  });

  it('is said by a refusal to overwrite them', () => {
    const hintFor = (
      metadata: Partial<ObjectMeta>,
      path = 'spec.type',
      set?: Record<string, unknown>,
      viaHelm = true,
    ) => {
      const wanted = set && made('Service', APISERVER, { annotations: { 'meshctl.io/set': JSON.stringify(set) } });
      try {
        requireNoConflicts(snapshotOf(), [{ ...disputed(metadata, path), wanted }], undefined, viaHelm);
        return undefined;
      } catch (error) {
        return (error as { hint?: string }).hint;
      }
    };
    const take = 'or take the fields over: meshctl clustermesh enable --context one --force-conflicts';
    const set = `Set ${OF}service.type in`;
    expect(hintFor(RELEASE)).toBe(`${set} the values of Helm release cilium, let Helm do it with --via-helm, ${take}`);
    expect(hintFor(HELM_RELEASE)).toBe(`${set} the spec.values of Flux HelmRelease cilium, ${FETCHED}, ${take}`);
    expect(hintFor(BY_TERRAFORM)).toBe(`${set} the values of Terraform helm_release cilium, ${take}`);
    // A command without that flag.
    expect(hintFor(RELEASE, undefined, undefined, false)).toBe(`${set} the values of Helm release cilium, ${take}`);
    // No value that --via-helm gives Helm makes it so.
    expect(hintFor(RELEASE, 'spec.sessionAffinity')).toBe(
      `Set ${OF}service.enableSessionAffinity in the values of Helm release cilium, ${take}`,
    );
    expect(hintFor(RELEASE, 'spec.type', { 'spec.type': 'ClusterIP' })).toBe(
      `${set} the values of Helm release cilium, ${take}`,
    );
    expect(hintFor({})).toBe(`Change them where they are managed, ${take}`);
  });
});
