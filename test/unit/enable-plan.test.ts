import { describe, expect, it } from 'vitest';
import { loadTemplates } from '../../src/manifests/load.ts';
import { renderClusterMesh } from '../../src/manifests/render.ts';
import { serviceEndpoints } from '../../src/mesh/apiserver/endpoints.ts';
import { withService } from '../../src/mesh/apiserver/planned-service.ts';
import { certificateSpecs } from '../../src/mesh/certificates/cluster-certificates.ts';
import { type AuthorityChoice, planAuthority } from '../../src/mesh/certificates/plan-authority.ts';
import { requireIdentity } from '../../src/mesh/cilium/identity.ts';
import { DEFAULT_SETTINGS } from '../../src/mesh/cilium/install.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { planEnable } from '../../src/mesh/enable/plan-enable.ts';
import { type EnableChoices, settleEnable } from '../../src/mesh/enable/settings.ts';
import { type KubeObject, keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import type { Plan } from '../../src/mesh/plan/plan.ts';
import { CHECKOUT } from '../support/schemas.ts';
import {
  apiserverDeployment,
  caFacts,
  loadBalancerService,
  NOW,
  serviceObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

const templates = await loadTemplates(CHECKOUT);

function render(snapshot: ClusterSnapshot, choices: EnableChoices = {}): KubeObject[] {
  const identity = requireIdentity(snapshot);
  const { exposure, ...values } = settleEnable(snapshot, identity, choices);
  return renderClusterMesh(templates, {
    ciliumVersion: { major: 1, minor: 20, patch: 0, suffix: '' },
    image: 'quay.io/cilium/clustermesh-apiserver:v1.20.0',
    namespace: snapshot.namespace,
    clusterName: identity.name,
    maxConnectedClusters: identity.maxConnectedClusters,
    settings: DEFAULT_SETTINGS,
    serviceType: exposure.type,
    serviceAnnotations: exposure.annotations,
    ...values,
  });
}

interface PlanOptions {
  authority?: AuthorityChoice;
  force?: boolean;
}

function plan(snapshot: ClusterSnapshot, choices: EnableChoices = {}, options: PlanOptions = {}): Plan {
  const { kvstoremesh } = settleEnable(snapshot, requireIdentity(snapshot), choices);
  const objects = render(snapshot, choices);
  const planned = objects
    .filter(({ kind, metadata }) => kind === 'Service' && metadata.name === 'clustermesh-apiserver')
    .reduce(withService, snapshot);
  return planEnable({
    snapshot,
    planned,
    objects,
    certificates: certificatesOf(planned, kvstoremesh),
    authority: planAuthority(snapshot, options.authority ?? {}),
    possible: Object.values(templates).map(refOf),
    force: options.force ?? false,
    now: NOW,
  });
}

function certificatesOf(snapshot: ClusterSnapshot, kvstoremesh: boolean) {
  const serviceAddresses = serviceEndpoints(snapshot)?.hosts ?? [];
  return certificateSpecs({ clusterName: 'mesh-1', namespace: 'kube-system', serviceAddresses, kvstoremesh });
}

const on = (providerId: string): Partial<ClusterSnapshot> => ({
  nodes: [
    {
      name: 'a',
      ready: true,
      providerId,
      labels: {},
      addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
      podCidrs: [],
    },
  ],
});

/** The cluster after a whole run. */
function enabled(overrides: Partial<ClusterSnapshot> = {}, choices: EnableChoices = {}): ClusterSnapshot {
  const before = snapshotOf(overrides);
  const objects = render(before, choices).map((object) =>
    object.kind === 'Service' && object.metadata.name === 'clustermesh-apiserver'
      ? { ...object, status: loadBalancerService('10.9.0.1').status }
      : object,
  );
  const live = new Map(objects.map((object) => [keyOf(refOf(object)), object]));
  const after = { ...before, objects: live };
  const certificates = certificatesOf(after, choices.kvstoremesh ?? true);
  return { ...after, tlsSecrets: new Map(certificates.map(({ secret, spec }) => [secret, tlsFacts('ca-one', spec)])) };
}

const names = ({ steps }: Plan) => steps.map(({ action, object }) => `${action} ${object.kind} ${object.name}`);

describe('planEnable', () => {
  it('creates what pods refer to before the Deployment, and the Service before its certificate', () => {
    expect(names(plan(snapshotOf({ ...on('gce://x'), ca: undefined })))).toMatchInlineSnapshot(`
      [
        "create Secret cilium-ca",
        "create Service clustermesh-apiserver",
        "create Secret clustermesh-apiserver-server-cert",
        "create Secret clustermesh-apiserver-admin-cert",
        "create Secret clustermesh-apiserver-local-cert",
        "create Secret clustermesh-apiserver-remote-cert",
        "create ServiceAccount clustermesh-apiserver",
        "create ClusterRole clustermesh-apiserver",
        "create ClusterRoleBinding clustermesh-apiserver",
        "create Service clustermesh-apiserver-metrics",
        "create Secret cilium-clustermesh",
        "create Secret cilium-kvstoremesh",
        "create ConfigMap clustermesh-remote-users",
        "create Deployment clustermesh-apiserver",
      ]
    `);
  });

  it('keeps everything on a second run', () => {
    const { steps } = plan(enabled(on('gce://x')));
    expect(steps.filter(({ action }) => action !== 'keep')).toEqual([]);
  });

  it('plans exactly the change of an option', () => {
    const changed = plan(enabled(on('gce://x')), { replicas: 3 }).steps.filter(({ action }) => action !== 'keep');
    expect(
      changed.map(({ object, changes }) => [object.kind, changes.map(({ path, from, to }) => [path, from, to])]),
    ).toEqual([
      ['Service', [['spec.sessionAffinity', undefined, 'ClientIP']]],
      ['Deployment', [['spec.replicas', 1, 3]]],
    ]);
  });

  it('does not touch what connect has filled', () => {
    const before = enabled(on('gce://x'));
    const users: KubeObject = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'clustermesh-remote-users', namespace: 'kube-system' },
      data: { 'users.yaml': 'users:\n- name: remote-mesh-2\n  role: remote\n' },
    };
    const snapshot = { ...before, objects: new Map([...before.objects, [keyOf(refOf(users)), users]]) };
    expect(plan(snapshot).steps.find(({ object }) => object.name === users.metadata.name)?.action).toBe('keep');
  });

  it('issues the server certificate anew for a new address, and keeps the names that peers may dial', () => {
    const before = enabled(on('gce://x'));
    const moved = loadBalancerService('10.9.0.2');
    const live = before.objects.get(keyOf(refOf(moved)));
    const snapshot = {
      ...before,
      objects: new Map([...before.objects, [keyOf(refOf(moved)), { ...moved, ...live, status: moved.status }]]),
    };
    const [step, ...others] = plan(snapshot).steps.filter(({ action }) => action !== 'keep');
    expect(others).toEqual([]);
    expect(step?.why).toBe('it does not cover 10.9.0.2');
    expect(step?.write).toMatchObject({
      certificates: [{ spec: { ipAddresses: expect.arrayContaining(['10.9.0.1', '10.9.0.2']) } }],
    });
  });

  it('says that the address will come into the certificate', () => {
    const step = plan(snapshotOf(on('gce://x'))).steps.find(({ object }) => object.name.endsWith('server-cert'));
    expect(step?.changes[0]?.to).toContain("and the Service's address");
  });

  it('issues all leaves anew under a different CA', () => {
    const changed = plan({ ...enabled(on('gce://x')), ca: caFacts('ca-two') }).steps.filter(
      ({ action }) => action !== 'keep',
    );
    expect(changed.map(({ object }) => object.name)).toEqual([
      'clustermesh-apiserver-server-cert',
      'clustermesh-apiserver-admin-cert',
      'clustermesh-apiserver-local-cert',
      'clustermesh-apiserver-remote-cert',
    ]);
  });

  it('renews what it has put into Secrets that others have made, and leaves what they have put there', () => {
    const before = enabled(on('gce://x'));
    const moved = loadBalancerService('10.9.0.2');
    const server = (manager: string): KubeObject => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: 'clustermesh-apiserver-server-cert',
        namespace: 'kube-system',
        annotations: { 'argocd.argoproj.io/tracking-id': 'mesh' },
        managedFields: [{ manager, operation: 'Update', fieldsV1: { 'f:data': { 'f:tls.crt': {} } } }],
      },
      data: { 'tls.crt': 'eA==' },
    });
    const service = { ...before.objects.get(keyOf(refOf(moved))), ...moved };
    const planned = (manager: string) => {
      const live = [service, server(manager)].map((object): [string, KubeObject] => [keyOf(refOf(object)), object]);
      const { steps } = plan({ ...before, objects: new Map([...before.objects, ...live]) });
      return steps.find(({ object }) => object.name === 'clustermesh-apiserver-server-cert');
    };
    expect(planned('meshctl')).toMatchObject({ action: 'update', write: { into: 'exact' } });
    expect(planned('meshctl')?.conflicts).toBeUndefined();
    expect(planned('argocd')).toMatchObject({ action: 'keep', why: expect.stringContaining('made by Argo CD') });
  });

  it('refuses to issue with a CA whose key is elsewhere, but keeps what is valid', () => {
    const ca = { ...caFacts('ca-one'), hasKey: false };
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'cilium-ca', namespace: 'kube-system' } };
    expect(() => plan(snapshotOf({ ...on('gce://x'), ca, live: [secret] }))).toThrow(/has no ca\.key/);
    expect(plan({ ...enabled(on('gce://x')), ca }).steps.every(({ action }) => action === 'keep')).toBe(true);
  });
});

describe('settleEnable', () => {
  const settle = (overrides: Parameters<typeof snapshotOf>[0], choices: EnableChoices = {}) => {
    const snapshot = snapshotOf(overrides);
    return settleEnable(snapshot, requireIdentity(snapshot), choices);
  };

  it('detects where nothing is said and nothing is there', () => {
    expect(settle(on('aws:///x'))).toMatchObject({
      exposure: { type: 'LoadBalancer' },
      replicas: 1,
      kvstoremesh: true,
    });
  });

  it('leaves an existing Service as it is', () => {
    const live = [
      serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 31000 }] }),
      apiserverDeployment({ kvstoremesh: false }),
    ];
    expect(settle({ ...on('aws:///x'), live })).toMatchObject({
      exposure: { type: 'NodePort' },
      nodePort: 31000,
      kvstoremesh: false,
    });
  });

  it('keeps a load balancer private also when its type was chosen by hand', () => {
    const { exposure } = settle(on('aws:///x'), { serviceType: 'LoadBalancer', serviceAnnotations: { mine: 'x' } });
    expect(exposure.annotations).toMatchObject({
      'service.beta.kubernetes.io/aws-load-balancer-scheme': 'internal',
      mine: 'x',
    });
  });

  it('keeps off the node ports of other Services and of peers', () => {
    const peers: KubeObject = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'cilium-kvstoremesh', namespace: 'kube-system' },
      data: { 'mesh-2': btoa('endpoints:\n- https://10.0.0.9:32379\n') },
    };
    const free = settle({}).nodePort;
    expect(free).toBe(32379);
    expect(settle({ live: [peers] }).nodePort).not.toBe(free);
    expect(settle({ usedNodePorts: [32379] }).nodePort).not.toBe(free);
    const taken = (more: EnableChoices) => () => settle({ usedNodePorts: [31000] }, { nodePort: 31000, ...more });
    expect(taken({})).toThrow(/another Service has the node port/);
    expect(taken({})).toThrow(expect.objectContaining({ hint: expect.stringContaining('--node-port') }));
    expect(taken({ inFile: true })).toThrow(expect.objectContaining({ hint: expect.not.stringContaining('--') }));
  });

  it.each<[string, object | undefined, Parameters<typeof settle>[1], RegExp, string]>([
    [
      'a node port for a load balancer',
      { type: 'LoadBalancer' },
      { nodePort: 32000 },
      /--node-port is for Services of type NodePort, and this one is of type LoadBalancer/,
      'To change the type: meshctl clustermesh enable --context one --service-type NodePort --node-port 32000',
    ],
    [
      'a node port for a load balancer, in a file',
      { type: 'LoadBalancer' },
      { nodePort: 32000, inFile: true },
      /": nodePort of the file is for Services of type NodePort, and this one is of type LoadBalancer/,
      'In the file, leave nodePort out for this cluster, or say its serviceType: with LoadBalancer, one of the defaults does not hold',
    ],
    [
      'an address of a load balancer for node ports',
      { type: 'NodePort', ports: [{ port: 2379, nodePort: 31000 }] },
      { loadBalancerIp: '10.0.0.9' },
      /--load-balancer-ip is for Services of type LoadBalancer/,
      '--service-type LoadBalancer --load-balancer-ip 10.0.0.9',
    ],
    [
      'another class than a load balancer has',
      { type: 'LoadBalancer', loadBalancerClass: 'a' },
      { loadBalancerClass: 'b' },
      /the class of a load balancer cannot be changed \(it is a\)/,
      '--service-type NodePort && meshctl clustermesh enable --context one --service-type LoadBalancer --load-balancer-class b',
    ],
    [
      'a class where there was none',
      { type: 'LoadBalancer' },
      { loadBalancerClass: 'b' },
      /cannot be changed \(it is the cluster's default\)/,
      '--load-balancer-class b',
    ],
  ])('refuses %s, and names the way', (_what, spec, choices, message, hint) => {
    const run = () => settle({ live: [serviceObject({ ports: [{ port: 2379 }], ...spec })] }, choices);
    expect(run).toThrow(message);
    expect(run).toThrow(expect.objectContaining({ code: 'Usage', hint: expect.stringContaining(hint) }));
  });

  it('takes the class that a load balancer has, or gets with its type', () => {
    const live = [serviceObject({ type: 'LoadBalancer', loadBalancerClass: 'a', ports: [{ port: 2379 }] })];
    expect(settle({ live }, { loadBalancerClass: 'a' })).toMatchObject({ loadBalancerClass: 'a' });
    const other = [serviceObject({ type: 'NodePort', ports: [{ port: 2379, nodePort: 31000 }] })];
    const choices = { serviceType: 'LoadBalancer', loadBalancerClass: 'b' } as const;
    expect(settle({ live: other }, choices)).toMatchObject({ loadBalancerClass: 'b' });
  });

  it('takes choices before what is there', () => {
    const live = [serviceObject({ type: 'LoadBalancer', ports: [{ port: 2379 }] })];
    expect(settle({ live }, { serviceType: 'NodePort', nodePort: 30001, replicas: 2 })).toMatchObject({
      exposure: { type: 'NodePort' },
      nodePort: 30001,
      replicas: 2,
    });
  });
});
