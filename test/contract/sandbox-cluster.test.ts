import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { sameJson } from '../../src/sandbox/controllers/controller.ts';
import { type SandboxCluster, startSandbox } from '../../src/sandbox/sandbox.ts';
import {
  enableByHand,
  eventually,
  execIn,
  found,
  refs,
  startTestSandbox,
  type TestSandbox,
} from '../support/sandbox-mesh.ts';

let sandbox: TestSandbox;
let cluster: SandboxCluster;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 1, nodes: 3, proxied: false });
  cluster = found(sandbox.clusters[0], 'the cluster');
});

afterAll(async () => {
  await sandbox?.close();
});

afterEach(() => {
  expect(sandbox.errors).toEqual([]);
});

const pods = (labels: Record<string, string>) => cluster.store.list({ apiVersion: 'v1', kind: 'Pod', labels });
const statusOf = (object: KubeObject | undefined) => (object?.status ?? {}) as Record<string, unknown>;
const isReady = (pod: KubeObject) =>
  ((statusOf(pod).conditions ?? []) as { type: string; status: string }[]).some(
    ({ type, status }) => type === 'Ready' && status === 'True',
  );

const events = () => cluster.store.list({ apiVersion: 'v1', kind: 'Event', namespace: 'default' });
const warnings = () => events().flatMap(({ type, message }) => (type === 'Warning' ? [message] : []));

function web(name: string, replicas: number, image = 'nginx:1'): KubeObject {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'web', image }] } },
    },
  };
}
const webRef = (name: string) => ({ apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'default', name });

describe('a new cluster', () => {
  it('has what an installed Cilium leaves', async () => {
    const client = sandbox.client('mesh-1');
    expect(await client.version()).toBe('v1.36.1-gke.1000');
    const config = await client.get(refs.configMap('cilium-config'));
    expect(config?.data).toMatchObject({
      'cluster-name': 'mesh-1',
      'cluster-id': '1',
      'max-connected-clusters': '255',
    });
    const ca = await client.get(refs.secret('cilium-ca'));
    expect(Object.keys((ca?.data ?? {}) as object)).toEqual(['ca.crt', 'ca.key']);
    const nodes = await client.listAll({ apiVersion: 'v1', kind: 'Node' });
    expect(nodes.map(({ metadata }) => metadata.name)).toEqual(['mesh-1-node-1', 'mesh-1-node-2', 'mesh-1-node-3']);
    expect(nodes[0]?.spec).toMatchObject({ podCIDR: '10.1.0.0/24', providerID: expect.stringMatching(/^gce:\/\//) });
    expect(await client.listAll({ apiVersion: 'cilium.io/v2', kind: 'CiliumNode' })).toHaveLength(3);
    const set = await client.get({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      namespace: 'kube-system',
      name: 'cilium',
    });
    expect(set?.status).toMatchObject({ desiredNumberScheduled: 3, numberReady: 3, observedGeneration: 1 });
  });

  it('runs an agent on the address of each node', () => {
    const agents = pods({ 'k8s-app': 'cilium' });
    expect(agents.map((pod) => statusOf(pod).podIP).sort()).toEqual(['172.18.1.11', '172.18.1.12', '172.18.1.13']);
    expect(agents.every(isReady)).toBe(true);
  });

  it('says in exec and logs that it is simulated', async () => {
    const run = (command: string[]) => execIn(sandbox, 'mesh-1', 'cilium', 'cilium-agent', command);
    expect(await run(['bpftool', 'map'])).toMatchObject({
      exitCode: 127,
      stderr: expect.stringContaining('simulated'),
    });
    expect(await run(['cilium', 'version'])).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('1.20.0') });
    expect(await run(['hostname'])).toMatchObject({ stdout: expect.stringMatching(/^mesh-1-node-\d\n$/) });
    const document = JSON.parse((await run(['cilium', 'status', '-o', 'json'])).stdout) as Record<string, unknown>;
    expect(document['cluster-mesh']).toEqual({});
  });
});

describe('controllers', () => {
  it('roll a Deployment out one by one and keep the rest available', async () => {
    cluster.store.create(web('rolling', 3));
    await cluster.settled();
    const before = pods({ app: 'rolling' }).map(({ metadata }) => metadata.name);
    expect(new Set(pods({ app: 'rolling' }).map((pod) => (pod.spec as { nodeName: string }).nodeName)).size).toBe(3);
    const least: number[] = [];
    const stop = cluster.store.subscribe(({ object }) => {
      if (object.kind === 'Pod') least.push(pods({ app: 'rolling' }).filter(isReady).length);
    });
    cluster.store.update(webRef('rolling'), (object) => {
      const { template } = object.spec as { template: { metadata: { annotations?: Record<string, string> } } };
      template.metadata.annotations = { 'kubectl.kubernetes.io/restartedAt': 'now' };
    });
    await cluster.settled();
    stop();
    expect(Math.min(...least)).toBeGreaterThanOrEqual(3);
    const after = pods({ app: 'rolling' }).map(({ metadata }) => metadata.name);
    expect(after).toHaveLength(3);
    expect(after.filter((name) => before.includes(name))).toEqual([]);
    expect(cluster.store.get(webRef('rolling'))?.metadata.annotations).toEqual({
      'deployment.kubernetes.io/revision': '2',
    });
    cluster.store.delete(webRef('rolling'));
    expect(pods({ app: 'rolling' })).toEqual([]);
  });

  it('leave a pod whose image does not exist pending, and the old one running', async () => {
    cluster.store.create(web('pull', 1));
    await cluster.settled();
    cluster.store.update(webRef('pull'), (object) => {
      const { template } = object.spec as { template: { spec: { containers: { image: string }[] } } };
      found(template.spec.containers[0], 'the container').image = 'example.com/web:1';
    });
    const stuck = await eventually(
      () => pods({ app: 'pull' }).filter((pod) => statusOf(pod).phase === 'Pending' && statusOf(pod).containerStatuses),
      (found) => found.length === 1,
      'a pending pod',
    );
    expect(statusOf(stuck[0]).containerStatuses).toMatchObject([
      { state: { waiting: { reason: 'ImagePullBackOff' } } },
    ]);
    expect(pods({ app: 'pull' }).filter(isReady)).toHaveLength(1);
    expect(statusOf(cluster.store.get(webRef('pull')))).toMatchObject({ readyReplicas: 1, unavailableReplicas: 1 });
    expect(warnings()).toEqual([expect.stringContaining('example.com/web:1')]);
    cluster.store.delete(webRef('pull'));
  });

  it.each([
    ['ImagePullBackOff', { image: 'example.com/web:1' }],
    [
      'CreateContainerConfigError',
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'none', key: 'a' } } }] },
    ],
  ])('leave a pod with %s as it is while others start', async (reason, change) => {
    const slow = await startTestSandbox({ clusters: 1, nodes: 1, timings: { podStartMs: 5 } });
    try {
      const { store } = found(slow.clusters[0], 'the cluster');
      const of = (app: string) => store.list({ apiVersion: 'v1', kind: 'Pod', labels: { app } });
      const stuck = web('stuck', 1);
      const { template } = stuck.spec as { template: { spec: { containers: object[] } } };
      Object.assign(found(template.spec.containers[0], 'the container'), change);
      store.create(stuck);
      const [waiting] = await eventually(
        () => of('stuck'),
        ([pod]) => JSON.stringify(statusOf(pod)).includes(reason),
        'the reason',
      );
      for (const name of ['one', 'two', 'three']) {
        store.create(web(name, 1));
        await eventually(
          () => of(name),
          (found) => found.some(isReady),
          'a pod that starts',
        );
      }
      expect(of('stuck')).toEqual([waiting]);
      expect(slow.errors).toEqual([]);
    } finally {
      await slow.close();
    }
  });

  it('tell what they do in Events, and when a condition last said something new', async () => {
    cluster.store.create(web('told', 1));
    await cluster.settled();
    const [pod] = pods({ app: 'told' });
    const set = pod?.metadata.ownerReferences?.[0]?.name;
    const said = events().filter(({ involvedObject }) => JSON.stringify(involvedObject).includes('"told'));
    expect(said.map(({ reason, message }) => `${reason}: ${message}`).sort()).toEqual([
      'Created: Container created',
      'Pulled: Container image "nginx:1" already present on machine and can be accessed by the pod',
      `ScalingReplicaSet: Scaled up replica set ${set} from 0 to 1`,
      expect.stringMatching(`^Scheduled: Successfully assigned default/${pod?.metadata.name} to mesh-1-node-\\d$`),
      'Started: Container started',
      `SuccessfulCreate: Created pod: ${pod?.metadata.name}`,
    ]);
    const time = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(statusOf(cluster.store.get(webRef('told'))).conditions).toMatchObject([
      { type: 'Available', status: 'True', lastUpdateTime: time },
      { type: 'Progressing', status: 'True', lastUpdateTime: time },
    ]);
    cluster.store.delete(webRef('told'));
  });

  it('furnish a namespace, and empty one that is deleted', async () => {
    const namespace = { apiVersion: 'v1', kind: 'Namespace', name: 'short' };
    const object = (kind: string, name: string) => ({ apiVersion: 'v1', kind, namespace: 'short', name });
    const rootCa = object('ConfigMap', 'kube-root-ca.crt');
    cluster.store.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'short' } });
    await expect.poll(() => cluster.store.get(rootCa)?.data).toEqual({ 'ca.crt': cluster.access?.ca });
    expect(cluster.store.get(object('ServiceAccount', 'default'))).toBeDefined();
    cluster.store.delete(rootCa);
    await expect.poll(() => cluster.store.get(rootCa)).toBeDefined();

    const deployment = web('inside', 2);
    cluster.store.create({ ...deployment, metadata: { name: 'inside', namespace: 'short' } });
    const finalizers = ['example.com/hold'];
    cluster.store.create({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'held', namespace: 'short', finalizers } as KubeObject['metadata'],
    });
    await cluster.settled();
    cluster.store.delete(namespace);
    const left = () => cluster.store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'short' });
    await expect.poll(left).toEqual([]);
    expect(statusOf(cluster.store.get(namespace))).toMatchObject({ phase: 'Terminating' });
    expect(JSON.stringify(cluster.store.get(namespace)?.status)).toContain(
      'Some resources are remaining: secrets. has 1 resource instances',
    );
    cluster.store.update(object('Secret', 'held'), ({ metadata }) => {
      (metadata as { finalizers?: string[] }).finalizers = [];
    });
    await expect.poll(() => cluster.store.get(namespace)).toBeUndefined();
  });

  it('follow nodes that come and go with the DaemonSet', async () => {
    const node = found(cluster.store.get({ apiVersion: 'v1', kind: 'Node', name: 'mesh-1-node-3' }), 'the node');
    cluster.store.delete({ apiVersion: 'v1', kind: 'Node', name: 'mesh-1-node-3' });
    await eventually(
      () => pods({ 'k8s-app': 'cilium' }),
      (agents) => agents.length === 2,
      'two agents',
    );
    const { name, labels = {} } = node.metadata;
    cluster.store.create({ ...node, metadata: { name, labels } });
    await eventually(
      () => pods({ 'k8s-app': 'cilium' }).filter(isReady),
      (agents) => agents.length === 3,
      'three agents',
    );
  });

  it('hold a pod back until the Secret that it mounts exists', async () => {
    const deployment = web('waits', 1);
    const { template } = deployment.spec as { template: { spec: Record<string, unknown> } };
    template.spec.volumes = [{ name: 'v', secret: { secretName: 'late' } }];
    cluster.store.create(deployment);
    await eventually(
      () => warnings(),
      (messages) => messages.includes('MountVolume.SetUp failed for volume "v" : secret "late" not found'),
      'the event',
    );
    expect(pods({ app: 'waits' }).filter(isReady)).toEqual([]);
    cluster.store.create({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'late', namespace: 'default' } });
    await cluster.settled();
    expect(pods({ app: 'waits' }).filter(isReady)).toHaveLength(1);
  });

  it("give a Service's endpoints the ports that their pods have, each list a slice of its own", async () => {
    const serving = (name: string, ports: { name: string; containerPort: number }[]) => {
      const deployment = web(name, 1);
      const { template } = deployment.spec as { template: { metadata: object; spec: { containers: object[] } } };
      template.metadata = { labels: { app: name, tier: 'named' } };
      template.spec.containers = [{ name: 'web', image: 'nginx:1', ports }];
      return deployment;
    };
    const metadata = { name: 'named', namespace: 'default' };
    const ports = [{ name: 'http', port: 80, targetPort: 'web' }];
    cluster.store.create({ apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: { tier: 'named' }, ports } });
    const slices = () => {
      const labels = { 'kubernetes.io/service-name': 'named' };
      const found = cluster.store.list({ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', labels });
      const seen = found.map((slice): [unknown[], number] => [
        slice.ports as unknown[],
        (slice.endpoints as unknown[]).length,
      ]);
      return seen.sort(([one], [other]) => other.length - one.length);
    };
    const looksSo = (wanted: unknown) => eventually(slices, (seen) => sameJson(seen, wanted), 'the slices');
    await looksSo([[[], 0]]);
    cluster.store.create(serving('named-web', [{ name: 'web', containerPort: 8080 }]));
    cluster.store.create(serving('named-http', [{ name: 'http', containerPort: 8080 }]));
    await looksSo([
      [[{ name: 'http', port: 8080, protocol: 'TCP' }], 1],
      [[], 1],
    ]);
    cluster.store.delete(webRef('named-web'));
    await looksSo([[[], 1]]);
    cluster.store.delete(webRef('named-http'));
    cluster.store.delete({ apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'named' });
    await cluster.settled();
  });

  it('give LoadBalancers an address, unless that is held back', async () => {
    cluster.setLoadBalancersPending(true);
    const service = { type: 'LoadBalancer', selector: { app: 'x' }, ports: [{ port: 80 }] };
    const ref = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'balanced' };
    cluster.store.create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'balanced', namespace: 'default' },
      spec: service,
    });
    const ingress = () => (statusOf(cluster.store.get(ref)).loadBalancer as { ingress?: unknown } | undefined)?.ingress;
    await eventually(
      () => cluster.store.list({ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', namespace: 'default' }),
      (slices) => slices.some(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === 'balanced'),
      'the slice, so the controllers have seen the Service',
    );
    expect(ingress()).toBeUndefined();
    cluster.setLoadBalancersPending(false);
    expect(await eventually(ingress, (value) => value !== undefined, 'an address')).toEqual([
      { ip: '172.18.1.100', ipMode: 'VIP' },
    ]);
    cluster.store.delete(ref);
  });
});

describe('mounted Secrets', () => {
  it('reach a pod after a delay, and at once when the pod is nudged', async () => {
    const slow = await startTestSandbox({ clusters: 1, nodes: 1, timings: { secretSyncMs: 60_000 } });
    try {
      const target = found(slow.clusters[0], 'the cluster');
      await enableByHand(target, { kvstoremesh: false });
      const cat = () => execIn(slow, 'mesh-1', 'cilium', 'cilium-agent', ['cat', '/var/lib/cilium/clustermesh/mesh-9']);
      target.store.update(refs.secret('cilium-clustermesh'), (secret) => {
        secret.data = { 'mesh-9': Buffer.from('endpoints: []\n').toString('base64') };
      });
      expect(await cat()).toMatchObject({ exitCode: 1 });
      const [agent] = target.store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'cilium' } });
      const client = slow.client('mesh-1');
      const pod = found(agent, 'the agent').metadata;
      await client.patch(
        { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name: pod.name },
        { metadata: { annotations: { 'meshctl.io/nudge': 'now' } } },
      );
      expect(await eventually(cat, ({ exitCode }) => exitCode === 0, 'the file')).toMatchObject({
        stdout: 'endpoints: []\n',
      });
      expect(slow.errors).toEqual([]);
    } finally {
      await slow.close();
    }
  });
});

describe('the sandbox', () => {
  it('writes the kubeconfig for its owner only and leaves nothing behind', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'sandbox-test-'));
    const kubeconfigPath = join(directory, 'mine.yaml');
    const two = await startSandbox({ clusters: 2, nodes: 1, kubeconfigPath });
    expect((await stat(kubeconfigPath)).mode & 0o777).toBe(0o600);
    expect(await readFile(kubeconfigPath, 'utf8')).toContain('current-context: mesh-1');
    await expect(startSandbox({ clusters: 1, nodes: 1, kubeconfigPath })).rejects.toMatchObject({ code: 'Usage' });
    await two.close();
    expect(await readdir(directory)).toEqual([]);
    await rm(directory, { recursive: true });
  });

  it('makes clusters with one CA, or with none', async () => {
    const shared = await startSandbox({ clusters: 2, nodes: 1, sharedCa: true });
    expect(shared.clusters[0]?.ca).toEqual(shared.clusters[1]?.ca);
    await shared.close();
    const without = await startSandbox({ clusters: [{ name: 'default', id: 0 }], nodes: 1, withoutCa: true });
    expect(without.clusters[0]?.store.get(refs.secret('cilium-ca'))).toBeUndefined();
    expect(without.clusters[0]?.context).toBe('mesh-1');
    await without.close();
  });

  it.each([
    [{ clusters: 0 }, /1 to 255 clusters, not 0/],
    [{ nodes: 100_000 }, /0 to [0-9]+ nodes, not 100000/],
    [{ ciliumVersion: 'latest' }, /"latest" is not a Cilium version/],
    [{ clusters: [{ context: 'a' }, { context: 'a' }] }, /Two sandbox clusters have the context "a"/],
  ])('refuses %j', async (options, message) => {
    await expect(startSandbox(options)).rejects.toMatchObject({
      code: 'Usage',
      message: expect.stringMatching(message),
    });
  });
});
