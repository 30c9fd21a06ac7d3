import { describe, expect, it } from 'vitest';
import { refusedUpgrades } from '../../src/mesh/enable/helm/refused-upgrades.ts';
import { givenFields } from '../../src/mesh/objects/helm-fields.ts';
import type { KubeObject, ManagedFieldsEntry, ObjectMeta } from '../../src/mesh/objects/kube-object.ts';
import {
  conflictsOf,
  fieldOwner,
  foreignOwner,
  isOurs,
  makerOf,
  managersOfData,
} from '../../src/mesh/objects/ownership.ts';
import { foreignObjectNotes } from '../../src/mesh/peers/foreign-homes.ts';

const object = (metadata: Partial<ObjectMeta>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'x', namespace: 'n', ...metadata },
});

const by = (manager: string, fieldsV1: Record<string, unknown> = { 'f:spec': {} }): ManagedFieldsEntry => ({
  manager,
  operation: 'Update',
  fieldsV1,
});

const at = (manager: string, minute: number) => ({ ...by(manager), time: `2026-01-01T00:0${minute}:00Z` });

const OURS = { labels: { 'app.kubernetes.io/managed-by': 'meshctl' } };

describe('makerOf', () => {
  it.each<[string | undefined, string, Partial<ObjectMeta>]>([
    ['Helm release cilium', 'a tool made', { annotations: { 'meta.helm.sh/release-name': 'cilium' } }],
    ['Argo CD', 'a tool applies of what meshctl printed', { ...OURS, managedFields: [by('argocd-controller')] }],
    ['meshctl', 'meshctl made', { ...OURS, managedFields: [by('meshctl')] }],
    ['kubectl-create', 'meshctl only restarted', { managedFields: [by('meshctl'), by('kubectl-create')] }],
    [undefined, 'nobody marked', {}],
  ])('is %s of what %s', (maker, _what, metadata) => {
    expect(makerOf(object(metadata))).toBe(maker);
  });
});

describe('foreignOwner', () => {
  it.each<[string, Partial<ObjectMeta>]>([
    ['Helm release cilium', { annotations: { 'meta.helm.sh/release-name': 'cilium' }, managedFields: [by('helm')] }],
    ['Helm', { labels: { 'app.kubernetes.io/managed-by': 'Helm' } }],
    ['Argo CD', { labels: { 'app.kubernetes.io/managed-by': 'Helm' }, managedFields: [by('argocd-controller')] }],
    ['Argo CD', { managedFields: [by('argocd'), by('meshctl')] }],
    ['Flux', { ...OURS, managedFields: [by('meshctl'), by('kustomize-controller')] }],
    ['Flux', { managedFields: [by('helm-controller')] }],
    ['Terraform', { managedFields: [by('HashiCorp')] }],
    ['Terraform', { managedFields: [by('Terraform')] }],
    ['Pulumi', { managedFields: [by('pulumi-kubernetes-1a2b3c')] }],
    [
      'Flux HelmRelease cilium',
      {
        labels: { 'helm.toolkit.fluxcd.io/name': 'cilium', 'app.kubernetes.io/managed-by': 'Helm' },
        annotations: { 'meta.helm.sh/release-name': 'cilium' },
      },
    ],
    [
      'Terraform helm_release cilium',
      {
        annotations: { 'meta.helm.sh/release-name': 'cilium' },
        labels: { 'app.kubernetes.io/managed-by': 'Helm' },
        managedFields: [by('terraform-provider-helm_v3.0.2_x5')],
      },
    ],
    ['cilium-certgen', { managedFields: [by('cilium-certgen')] }],
    ['Flux apps', { labels: { 'kustomize.toolkit.fluxcd.io/name': 'apps' } }],
    ['Argo CD', { annotations: { 'argocd.argoproj.io/tracking-id': 'a' }, ...OURS }],
    ['Argo CD', { ...OURS, labels: { ...OURS.labels, 'argocd.argoproj.io/instance': 'a' } }],
    ['cert-manager Certificate ca', { annotations: { 'cert-manager.io/certificate-name': 'ca' } }],
    ['kubectl-client-side-apply', { managedFields: [by('kubectl-client-side-apply')] }],
  ])('is %s', (owner, metadata) => {
    expect(foreignOwner(object(metadata))).toBe(owner);
    expect(isOurs(object(metadata))).toBe(false);
  });

  it.each<[string, string, Partial<ObjectMeta>]>([
    ['who took it over from Helm', 'Argo CD', { managedFields: [at('helm', 1), at('argocd-controller', 2)] }],
    [
      'Helm, once it is Helm’s again',
      'Helm release cilium',
      { managedFields: [at('argocd-controller', 1), at('helm', 2)] },
    ],
    ['who writes it by itself, where nothing tells who wrote last', 'Argo CD', {}],
    [
      'that one too, where others wrote last',
      'Argo CD',
      { managedFields: [at('argocd-controller', 1), at('keda', 2)] },
    ],
  ])('of two tools whose marks it has is %s', (_, owner, metadata) => {
    const annotations = { 'meta.helm.sh/release-name': 'cilium', 'argocd.argoproj.io/tracking-id': 'a' };
    expect(foreignOwner(object({ annotations, ...metadata }))).toBe(owner);
  });

  it.each<[string, string, Partial<ObjectMeta>]>([
    ['Argo CD', 'wrote after Helm', { managedFields: [at('helm', 1), at('argocd-controller', 2)] }],
    ['Argo CD', 'alone has written', { managedFields: [at('argocd-controller', 1)] }],
    ['Argo CD', 'wrote before others, who make nothing', { managedFields: [at('argocd', 1), at('keda', 2)] }],
    ['Helm release cilium', 'wrote before Helm', { managedFields: [at('argocd-controller', 1), at('helm', 2)] }],
    ['Helm release cilium', 'has not written', { managedFields: [at('helm', 1)] }],
    ['Helm release cilium', 'is not to be told', {}],
  ])(
    'of a label that charts set as well and Argo CD tracks by, with what Helm has left, is %s where Argo CD %s',
    (owner, _, metadata) => {
      const annotations = { 'meta.helm.sh/release-name': 'cilium' };
      const labels = { 'app.kubernetes.io/managed-by': 'Helm', 'app.kubernetes.io/instance': 'cilium' };
      expect(foreignOwner(object({ annotations, labels, ...metadata }))).toBe(owner);
    },
  );

  it.each<[string, string[]]>([
    ['Terraform helm_release cilium', ['terraform-provider-helm_v3.0.2_x5', 'helm']],
    ['Terraform helm_release cilium', ['helm', 'terraform-provider-helm']],
    ['Terraform helm_release cilium', ['terraform-provider-helm', 'meshctl', 'keda']],
    ['Argo CD', ['terraform-provider-helm', 'argocd-controller']],
    ['Terraform helm_release cilium', ['argocd-controller', 'terraform-provider-helm']],
  ])('of a release is %s where these have written, one after the other: %j', (owner, managers) => {
    const annotations = { 'meta.helm.sh/release-name': 'cilium' };
    const managedFields = managers.map((manager, index) => at(manager, index));
    expect(foreignOwner(object({ annotations, managedFields }))).toBe(owner);
  });

  it('is nobody for what meshctl made, also where others have touched it', () => {
    const metadata = { ...OURS, managedFields: [by('keda'), by('meshctl')] };
    expect(foreignOwner(object(metadata))).toBeUndefined();
    expect(isOurs(object(metadata))).toBe(true);
  });

  it('is nobody where nothing tells', () => {
    expect(foreignOwner(object({}))).toBeUndefined();
    expect(foreignOwner(undefined)).toBeUndefined();
    expect(isOurs(object({}))).toBe(false);
  });

  it('does not count who writes the status only', () => {
    expect(foreignOwner(object({ managedFields: [{ ...by('cloud'), subresource: 'status' }] }))).toBeUndefined();
  });
});

describe('conflictsOf', () => {
  const live = object({
    managedFields: [
      by('meshctl', { 'f:spec': { 'f:type': {} } }),
      by('keda', {
        'f:spec': {
          'f:replicas': {},
          'f:containers': { 'k:{"name":"etcd"}': { '.': {}, 'f:image': {} } },
          'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { 'f:name': {} } },
          'f:finalizers': { 'v:"a"': {} },
        },
        'f:metadata': { 'f:annotations': { 'f:a.b/c': {} } },
      }),
      { ...by('cloud', { 'f:status': { 'f:x': {} } }), subresource: 'status' },
    ],
  });

  it.each([
    'spec.replicas',
    'spec.containers[etcd].image',
    'spec.ports[80/TCP].name',
    'spec.finalizers',
    'metadata.annotations.a.b/c',
    // A whole that another manager has a part of.
    'spec.containers[etcd]',
  ])('names the owner of %s', (path) => {
    expect(conflictsOf(live, [{ path }])).toEqual([{ path, manager: 'keda' }]);
  });

  it.each([
    'spec.type',
    'spec.replicasX',
    'spec.containers[apiserver].image',
    'status.x',
    'metadata.annotations.other',
  ])('leaves %s', (path) => {
    expect(conflictsOf(live, [{ path }])).toEqual([]);
  });
});

describe('fieldOwner', () => {
  it.each([
    ['helm', 'Helm release cilium'],
    ['kubectl-client-side-apply', 'kubectl-client-side-apply'],
  ])('of what %s has set on an object of Helm', (manager, owner) => {
    const live = object({ annotations: { 'meta.helm.sh/release-name': 'cilium' } });
    expect(fieldOwner(live, manager)).toBe(owner);
  });

  it('is the program, not who made the object, where no tool has marked it', () => {
    const live = object({ managedFields: [by('kubectl-create'), by('kubectl-client-side-apply')] });
    expect(fieldOwner(live, 'kubectl-client-side-apply')).toBe('kubectl-client-side-apply');
  });
});

describe('managersOfData', () => {
  it('are those who set keys', () => {
    const secret = object({
      managedFields: [
        by('meshctl', { 'f:data': { '.': {}, 'f:mesh-2': {} } }),
        by('someone', { 'f:data': { 'f:other': {} } }),
        by('labeller', { 'f:metadata': { 'f:labels': { 'f:a': {} } } }),
        by('maker', { 'f:data': { '.': {} } }),
      ],
    });
    expect(managersOfData(secret)).toEqual(['meshctl', 'someone']);
  });
});

it('tells once of each owner whose objects are written although their fields are meshctl’s, with its values', () => {
  const step = (name: string, more: object = {}) => ({
    cluster: 'a',
    action: 'update' as const,
    object: { apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system', name },
    before: {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: 'kube-system', annotations: { 'meta.helm.sh/release-name': 'cilium' } },
    },
    changes: [],
    why: '',
    ...more,
  });
  const disputed = { conflicts: [{ path: 'data.x', manager: 'helm' }] };
  const steps = [
    step('x'),
    step('y'),
    step('z', { action: 'keep' }),
    step('v', disputed),
    step('u', { before: undefined }),
    step('t', { changes: [{ path: 'spec.template.metadata.annotations.meshctl.io/ca', to: 'a' }] }),
  ];
  expect(foreignObjectNotes(steps)).toEqual([
    'context "a": Helm release cilium makes Secret kube-system/x, Secret kube-system/y, and its next sync may undo this → ' +
      'its values must say the same: meshctl clustermesh helm-values --context a',
  ]);
});

describe('what Helm applies server-side', () => {
  const RELEASE = { 'meta.helm.sh/release-name': 'cilium' };
  const fieldsV1 = {
    'f:metadata': { 'f:annotations': { 'f:meta.helm.sh/release-name': {} } },
    'f:spec': { 'f:x': {} },
  };
  const helm = { manager: 'helm', operation: 'Apply' as const, fieldsV1 };
  const ours = (fields: Record<string, unknown>) => ({
    manager: 'meshctl',
    operation: 'Apply' as const,
    fieldsV1: fields,
  });
  const made = (...managedFields: ManagedFieldsEntry[]) =>
    object({ name: 'clustermesh-apiserver', annotations: RELEASE, managedFields });
  const step = (before: KubeObject, more: object = {}) => ({
    cluster: 'a',
    action: 'update' as const,
    object: { apiVersion: 'v1', kind: 'Service', namespace: 'n', name: 'x' },
    before,
    changes: [],
    why: '',
    ...more,
  });

  it('is changed at the cost of later upgrades, which is asked about, also where no field is in dispute', () => {
    const says =
      'later upgrades of Helm release cilium are refused for conflicts with "meshctl", unless they have --force-conflicts';
    expect(refusedUpgrades({ context: 'a' }, [step(made(helm)), step(made(helm))])).toEqual([{ cluster: 'a', says }]);
    const notes = (byHelm?: (context: string) => string) => foreignObjectNotes([step(made(helm))], undefined, byHelm);
    const refused =
      'applies Service n/clustermesh-apiserver server-side, and its next upgrade that makes them otherwise is refused';
    expect(notes((context) => `LINE of ${context}`)).toEqual([
      expect.stringMatching(new RegExp(`${refused} .*, or let Helm do it instead: LINE of a$`)),
    ]);
    // Of a run that Helm cannot do.
    expect(notes()).toEqual([
      expect.stringMatching(new RegExp(`${refused} .*: meshctl \\S+ helm-values --context a$`)),
    ]);
  });

  it('is of no matter to Helm’s values where it is a Service of somebody’s own, and not to those who only apply what meshctl printed', () => {
    const notes = (one: KubeObject) => foreignObjectNotes([step(one, { changes: [{ path: 'spec.x', to: 1 }] })]);
    expect(notes(object({ annotations: RELEASE, managedFields: [helm] }))).toEqual([
      expect.stringMatching(/unless it has --force-conflicts → its source must say the same \(spec\.x of Service x\)$/),
    ]);
    const annotations = { 'argocd.argoproj.io/tracking-id': 'a' };
    const secret = object({ ...OURS, annotations, managedFields: [ours({ 'f:data': { 'f:mesh-2': {} } })] });
    expect(notes({ ...secret, kind: 'Secret' })).toEqual([]);
  });

  it.each<[string, ReturnType<typeof step>]>([
    ['as it is', step(made(helm), { action: 'keep' })],
    ['client-side', step(made({ ...helm, operation: 'Update' }))],
    [
      'and Argo CD has taken over',
      step(
        object({
          annotations: { ...RELEASE, 'argocd.argoproj.io/tracking-id': 'x' },
          managedFields: [{ ...helm, time: '2026-01-01T00:00:00Z' }, at('argocd-controller', 1)],
        }),
      ),
    ],
    [
      'by marks of meshctl',
      step(made(helm), { changes: [{ path: 'spec.template.metadata.annotations.meshctl.io/ca', to: 'a' }] }),
    ],
  ])('is nothing to ask about where it is %s', (_, one) => {
    expect(refusedUpgrades({ context: 'a' }, [one])).toEqual([]);
  });

  it('is given the fields that meshctl has set, but for its own marks and what connect gives to pods', () => {
    const marks = {
      'f:spec': {
        'f:template': { 'f:metadata': { 'f:annotations': { 'f:meshctl.io/ca': {} } }, 'f:hostAliases': { x: {} } },
      },
    };
    const all = { 'f:spec': { 'f:replicas': {}, 'f:template': { ...marks['f:spec']['f:template'], '.': {} } } };
    const byHand = by('kubectl-edit');
    const status = { ...ours({ 'f:status': {} }), subresource: 'status' };
    expect(givenFields(made(helm, ours(all), byHand, status))).toEqual({
      metadata: { managedFields: [helm, ours(marks), byHand, status] },
    });
    expect(givenFields(made(helm, ours({ 'f:data': { 'f:x': {} } })))).toEqual({ metadata: { managedFields: [helm] } });
    expect(givenFields(made(helm, ours(marks), byHand))).toBeUndefined();
    expect(givenFields(made(by('helm'), ours(all)))).toBeUndefined();
  });
});
