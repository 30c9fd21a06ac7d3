import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { call, type TestServer } from '../support/apiserver.ts';
import { API_SERVERS } from '../support/apiservers.ts';

const core = (plural: string): string => `/api/v1/namespaces/default/${plural}`;
const group = (name: string, plural: string): string => `/apis/${name}/v1/${plural}`;
const grouped = (name: string, plural: string): string => group(name, `namespaces/default/${plural}`);

const labels = { app: 'x' };
const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i:1' }] } };
const workload = { spec: { selector: { matchLabels: labels }, template } };
const other = { spec: { selector: { matchLabels: { app: 'y' } }, template: { metadata: { labels: { app: 'y' } } } } };
const selector = 'spec.selector: Invalid value: {"matchLabels":{"app":"y"}}: field is immutable';
const jobTemplate = { spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i:1' }] } };
const binding = {
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' },
  subjects: [{ kind: 'User', name: 'x', apiGroup: 'rbac.authorization.k8s.io' }],
};
const balanced = (loadBalancerClass?: string): object => {
  return { spec: { type: 'LoadBalancer', ports: [{ port: 1 }], loadBalancerClass } };
};
const immutable = (field: string): string => `${field}: Forbidden: field is immutable when \`immutable\` is set`;
const claim = {
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: 'a' },
};
const storage = { provisioner: 'x.example.com', parameters: { a: 'b' } };

/** What is made, the merge patch on it, and the refusal, or nothing where it is let in. */
const CASES: [name: string, path: string, made: object, change: object, refusal?: string][] = [
  ['configs-data', core('configmaps'), { immutable: true, data: { a: '1' } }, { data: { a: '2' } }, immutable('data')],
  [
    'configs-taken-back',
    core('configmaps'),
    { immutable: true, data: { a: '1' } },
    { immutable: null },
    immutable('immutable'),
  ],
  ['configs-false', core('configmaps'), { immutable: true }, { immutable: false }, immutable('immutable')],
  [
    'configs-both',
    core('configmaps'),
    { immutable: true, data: { a: '1' } },
    { immutable: false, data: null },
    `[${immutable('immutable')}, ${immutable('data')}]`,
  ],
  ['configs-binary', core('configmaps'), { immutable: true }, { binaryData: { a: 'YQ==' } }, immutable('binaryData')],
  ['configs-labels', core('configmaps'), { immutable: true, data: { a: '1' } }, { metadata: { labels } }],
  ['configs-made-so', core('configmaps'), { data: { a: '1' } }, { immutable: true }],
  ['secrets-data', core('secrets'), { immutable: true, data: {} }, { data: { a: 'YQ==' } }, immutable('data')],
  ['secrets-text', core('secrets'), { immutable: true }, { stringData: { a: 'a' } }, immutable('data')],
  ['secrets-taken-back', core('secrets'), { immutable: true }, { immutable: false }, immutable('immutable')],
  [
    'secrets-type',
    core('secrets'),
    { type: 'Opaque' },
    { type: 'example.com/other' },
    'type: Invalid value: "example.com/other": field is immutable',
  ],
  [
    'services-class',
    core('services'),
    balanced('example.com/a'),
    { spec: { loadBalancerClass: 'example.com/b' } },
    'spec.loadBalancerClass: Invalid value: "example.com/b": may not change once set',
  ],
  [
    'services-class-gone',
    core('services'),
    balanced('example.com/a'),
    { spec: { loadBalancerClass: null } },
    'spec.loadBalancerClass: Invalid value: null: may not change once set',
  ],
  [
    'services-class-late',
    core('services'),
    balanced(),
    { spec: { loadBalancerClass: 'example.com/b' } },
    'spec.loadBalancerClass: Invalid value: "example.com/b": may not change once set',
  ],
  [
    'services-class-of-none',
    core('services'),
    { spec: { ports: [{ port: 1 }] } },
    { spec: { loadBalancerClass: 'example.com/b' } },
    "spec.loadBalancerClass: Forbidden: may only be used when `type` is 'LoadBalancer'",
  ],
  ['services-other-type', core('services'), balanced('example.com/a'), { spec: { type: 'NodePort' } }],
  [
    'services-become-balanced',
    core('services'),
    { spec: { ports: [{ port: 1 }] } },
    { spec: { type: 'LoadBalancer', loadBalancerClass: 'example.com/b' } },
  ],
  ['deployments', grouped('apps', 'deployments'), workload, other, selector],
  ['daemonsets', grouped('apps', 'daemonsets'), workload, other, selector],
  ['replicasets', grouped('apps', 'replicasets'), workload, other, selector],
  [
    'statefulsets',
    grouped('apps', 'statefulsets'),
    workload,
    other,
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
  ],
  ['statefulsets-scaled', grouped('apps', 'statefulsets'), workload, { spec: { replicas: 3, minReadySeconds: 1 } }],
  [
    'jobs-mode',
    grouped('batch', 'jobs'),
    { spec: { template: jobTemplate } },
    { spec: { completionMode: 'Indexed' } },
    'spec.completionMode: Invalid value: "Indexed": field is immutable',
  ],
  [
    'jobs-completions',
    grouped('batch', 'jobs'),
    { spec: { template: jobTemplate } },
    { spec: { completions: 2 } },
    'spec.completions: Invalid value: 2: field is immutable',
  ],
  ['jobs-parallel', grouped('batch', 'jobs'), { spec: { template: jobTemplate } }, { spec: { parallelism: 2 } }],
  [
    'jobs-suspended',
    grouped('batch', 'jobs'),
    { spec: { suspend: true, template: jobTemplate } },
    { spec: { template: { spec: { nodeSelector: { a: 'b' } } } } },
  ],
  [
    'bindings',
    grouped('rbac.authorization.k8s.io', 'rolebindings'),
    binding,
    { roleRef: { name: 'edit' } },
    'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"ClusterRole","Name":"edit"}: cannot change roleRef',
  ],
  ['bindings-subjects', grouped('rbac.authorization.k8s.io', 'rolebindings'), binding, { subjects: [] }],
  [
    'slices',
    grouped('discovery.k8s.io', 'endpointslices'),
    { addressType: 'IPv4', endpoints: [] },
    { addressType: 'IPv6' },
    'addressType: Invalid value: "IPv6": field is immutable',
  ],
  ['claims-larger', core('persistentvolumeclaims'), claim, { metadata: { labels } }],
  [
    'classes',
    group('storage.k8s.io', 'storageclasses'),
    storage,
    { parameters: { a: 'c' }, provisioner: 'y.example.com' },
    '[parameters: Invalid value: {"a":"c"}: field is immutable, provisioner: Invalid value: "y.example.com": field is immutable]',
  ],
  [
    'attributes',
    group('storage.k8s.io', 'volumeattributesclasses'),
    { driverName: 'x.example.com', parameters: { a: 'b' } },
    { driverName: 'y.example.com' },
    'driverName: Forbidden: updates to driverName are forbidden.',
  ],
  [
    'drivers',
    group('storage.k8s.io', 'csidrivers'),
    { spec: {} },
    { spec: { attachRequired: false } },
    'spec.attachedRequired: Invalid value: false: field is immutable',
  ],
  [
    'volumes',
    '/api/v1/persistentvolumes',
    { spec: { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } } },
    { spec: { volumeMode: 'Block' } },
    'volumeMode: Invalid value: "Block": field is immutable',
  ],
  [
    'priorities',
    group('scheduling.k8s.io', 'priorityclasses'),
    { value: 1 },
    { value: 2 },
    'value: Forbidden: may not be changed in an update.',
  ],
  [
    'runtimes',
    group('node.k8s.io', 'runtimeclasses'),
    { handler: 'a' },
    { handler: 'b' },
    'handler: Invalid value: "b": field is immutable',
  ],
  [
    'ingress-classes',
    group('networking.k8s.io', 'ingressclasses'),
    { spec: { controller: 'example.com/a' } },
    { spec: { controller: 'example.com/b' } },
    'spec.controller: Invalid value: "example.com/b": field is immutable',
  ],
];

/** Refusals that go on with a difference, or with the whole of what was given. */
const BEGINNINGS: [name: string, path: string, made: object, change: object, beginning: string][] = [
  [
    'jobs-template',
    grouped('batch', 'jobs'),
    { spec: { template: jobTemplate } },
    { spec: { template: { metadata: { annotations: { a: 'b' } } } } },
    'spec.template: Invalid value: {',
  ],
  [
    'claims',
    core('persistentvolumeclaims'),
    claim,
    { spec: { storageClassName: 'b' } },
    'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
  ],
  [
    'devices',
    grouped('resource.k8s.io', 'resourceclaims'),
    { spec: { devices: {} } },
    { spec: { devices: { requests: [{ name: 'a', exactly: { deviceClassName: 'x.example.com' } }] } } },
    'spec: Invalid value: {',
  ],
  [
    'pods',
    core('pods'),
    { spec: template.spec },
    { spec: { hostNetwork: true } },
    'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,',
  ],
];

describe.each(API_SERVERS)('what may not change: $name', ({ start }) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.close());

  const changed = async (name: string, path: string, made: object, change: object) => {
    const created = await call(server, path, { method: 'POST', body: { ...made, metadata: { name } } });
    expect(created.status, created.body.message).toBe(201);
    const type = 'application/merge-patch+json';
    return call(server, `${path}/${name}`, { method: 'PATCH', body: change, type });
  };

  test.each(CASES)('%s', async (name, path, made, change, refusal) => {
    const { status, body } = await changed(name, path, made, change);
    expect([status, body.message]).toEqual(
      refusal ? [422, expect.stringMatching(new RegExp(`^[A-Za-z.0-9]+ "${name}" is invalid: `))] : [200, undefined],
    );
    if (refusal) expect(body.message.slice(body.message.indexOf('is invalid: ') + 'is invalid: '.length)).toBe(refusal);
  });

  test.each(BEGINNINGS)('%s', async (name, path, made, change, beginning) => {
    const { status, body } = await changed(name, path, made, change);
    expect(status).toBe(422);
    expect(body.message).toContain(`"${name}" is invalid: ${beginning}`);
  });

  test('a change of type takes the class of the load balancer along', async () => {
    const { body } = await changed('leaves', core('services'), balanced('example.com/a'), {
      spec: { type: 'NodePort' },
    });
    expect(body.spec.loadBalancerClass).toBeUndefined();
  });

  test('what a write leaves out has its default, and is not changed by that', async () => {
    const path = grouped('apps', 'deployments');
    await call(server, path, { method: 'POST', body: { ...workload, metadata: { name: 'brief' } } });
    const again = await call(server, `${path}/brief`, {
      method: 'PUT',
      body: { ...workload, metadata: { name: 'brief' } },
    });
    expect(again.status).toBe(200);
  });
});
