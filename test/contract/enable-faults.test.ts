import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { describeRef, type KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import type { InterceptedRequest } from '../../src/sandbox/options.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { briskClock } from '../support/brisk-clock.ts';
import { type CliResult, jsonOf, runCli } from '../support/cli.ts';
import { found, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

type Fault = (request: InterceptedRequest) => 'drop' | undefined;

let sandbox: TestSandbox;
let cluster: SandboxCluster;
let fault: Fault = () => undefined;

beforeAll(async () => {
  sandbox = await startTestSandbox({ clusters: 1, nodes: 1, intercept: async (_context, request) => fault(request) });
  cluster = found(sandbox.clusters[0], 'the cluster');
});

afterEach(async () => {
  fault = () => undefined;
  cluster.setLoadBalancersPending(false);
  const { exitCode, stderr } = await meshctl('disable', '--yes', '--keep-certificates');
  expect(exitCode, stderr).toBe(0);
});

afterAll(async () => {
  expect(sandbox.errors).toEqual([]);
  await sandbox.close();
});

const meshctl = (...argv: string[]): Promise<CliResult> =>
  runCli(['clustermesh', ...argv], { env: { KUBECONFIG: sandbox.kubeconfigPath } });

const isWriteOf =
  (resource: string, verb = 'patch') =>
  (request: InterceptedRequest) =>
    request.verb === verb && request.resource === resource;

/** Fails the first requests that match. */
function failing(
  times: number,
  matches: (request: InterceptedRequest) => boolean,
  answer: () => 'drop' | ApiError,
): Fault {
  let left = times;
  return (request) => {
    if (!matches(request) || left === 0) return undefined;
    left -= 1;
    const what = answer();
    if (what instanceof ApiError) throw what;
    return what;
  };
}

async function expectConverged(): Promise<void> {
  fault = () => undefined;
  const again = await meshctl('enable');
  expect(again.exitCode, again.stderr).toBe(0);
  const { summary } = jsonOf(await meshctl('enable', '--dry-run', '-o', 'json'));
  expect(summary).toMatchObject({ create: 0, update: 0, delete: 0 });
}

describe('enable goes through', () => {
  it.each<[string, Fault]>([
    [
      '500 twice',
      failing(2, isWriteOf('services'), () => new ApiError(500, 'InternalError', 'etcdserver: leader changed')),
    ],
    ['a connection that breaks', failing(1, isWriteOf('clusterroles'), () => 'drop')],
    [
      'watches that end',
      failing(
        3,
        ({ verb }) => verb === 'watch',
        () => 'drop',
      ),
    ],
  ])('%s', async (_name, injected) => {
    fault = injected;
    const { exitCode, stderr } = await meshctl('enable');
    expect(exitCode, stderr).toBe(0);
  });
});

it('enable waits as long as Retry-After says', async () => {
  const clock = briskClock();
  const times: number[] = [];
  fault = (request) => {
    if (!isWriteOf('serviceaccounts')(request)) return undefined;
    times.push(clock.ms());
    if (times.length > 1) return undefined;
    throw new ApiError(429, 'TooManyRequests', 'too many requests', { retryAfterSeconds: 1 });
  };
  const env = { KUBECONFIG: sandbox.kubeconfigPath };
  expect((await runCli(['clustermesh', 'enable'], { env, clock })).exitCode).toBe(0);
  const [first = 0, second = 0] = times;
  expect(second - first).toBeGreaterThan(950);
});

it('a dry run asks no more where no answer comes, and takes that for no refusal', async () => {
  let writes = 0;
  fault = (request) => {
    if (!isWriteOf('services')(request) && !isWriteOf('serviceaccounts')(request)) return undefined;
    writes += 1;
    throw new ApiError(401, 'Unauthorized', 'Unauthorized');
  };
  const { exitCode, stdout } = await meshctl('enable', '--dry-run=server');
  expect({ exitCode, writes }).toEqual({ exitCode: 3, writes: 1 });
  expect(stdout).toMatch(/\(--dry-run=server\): that of mesh-1 could not be asked about all of them\.\n$/);
});

describe('enable stops, says what to do, and goes on at the next run', () => {
  it('a right that is missing', async () => {
    fault = failing(
      9,
      isWriteOf('clusterroles'),
      () =>
        new ApiError(
          403,
          'Forbidden',
          'clusterroles.rbac.authorization.k8s.io "clustermesh-apiserver" is forbidden: User "jane" cannot patch resource "clusterroles" in API group "rbac.authorization.k8s.io" at the cluster scope',
        ),
    );
    const { exitCode, stderr } = await meshctl('enable');
    expect(exitCode).toBe(3);
    expect(stderr).toContain(
      'context "mesh-1": cannot apply ClusterRole clustermesh-apiserver: user "jane" may not patch clusterroles',
    );
    expect(stderr).toContain(
      'create clusterrole meshctl-patch-clusterroles --verb=patch --resource=clusterroles.rbac.authorization.k8s.io --dry-run=client -o yaml | ',
    );
    await expectConverged();
  });

  it('an object that somebody else made at the same time', async () => {
    fault = failing(
      1,
      isWriteOf('configmaps', 'create'),
      () =>
        new ApiError(409, 'AlreadyExists', 'configmaps "clustermesh-remote-users" already exists', {
          name: 'clustermesh-remote-users',
          kind: 'configmaps',
        }),
    );
    const { exitCode, stderr } = await meshctl('enable');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('ConfigMap kube-system/clustermesh-remote-users exists already');
    expect(stderr).toContain('Run the same command again');
    await expectConverged();
  });

  it('an object that somebody removes at the same time', async () => {
    const removed = refs.secret('clustermesh-apiserver-remote-cert');
    fault = (request) => {
      if (isWriteOf('deployments')(request) && cluster.store.get(removed)) cluster.store.delete(removed);
      return undefined;
    };
    const { exitCode, stderr } = await meshctl('enable');
    expect(exitCode).toBe(1);
    expect(stderr).toContain('someone else has removed Secret kube-system/clustermesh-apiserver-remote-cert meanwhile');
    await expectConverged();
  });

  it.each([
    ['the Deployment', refs.deployment('clustermesh-apiserver'), 'deployments'],
    ['the Service', refs.service('clustermesh-apiserver'), 'services'],
  ])(
    '%s that it waits for, and somebody removes: it does not wait for what is gone',
    async (_what, removed, watched) => {
      cluster.setLoadBalancersPending(watched === 'services');
      fault = (request) => {
        if (isWriteOf(watched, 'watch')(request) && cluster.store.get(removed)) cluster.store.delete(removed);
        return undefined;
      };
      const { exitCode, stderr } = await meshctl('enable', '--wait-duration', '5m');
      expect(exitCode).toBe(1);
      expect(stderr).toContain(`someone else has removed ${describeRef(removed)} meanwhile`);
      cluster.setLoadBalancersPending(false);
      await expectConverged();
    },
  );

  it('a webhook that rejects', async () => {
    fault = failing(
      1,
      isWriteOf('deployments'),
      () =>
        new ApiError(400, 'BadRequest', 'admission webhook "policy.example" denied the request: images must be signed'),
    );
    const { exitCode, stderr } = await meshctl('enable');
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      'cannot apply Deployment kube-system/clustermesh-apiserver: admission webhook "policy.example" denies it: images must be signed',
    );
    await expectConverged();
  });

  it('a load balancer that stays pending, with the events of the Service', async () => {
    cluster.setLoadBalancersPending(true);
    cluster.store.create(serviceEvent('SyncLoadBalancerFailed', 'no quota left for forwarding rules'));
    const { exitCode, stderr } = await meshctl('enable', '--wait-duration', '300ms');
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      'the load balancer of Service kube-system/clustermesh-apiserver has no address after 0.3 s: ' +
        'SyncLoadBalancerFailed: no quota left for forwarding rules',
    );
    expect(stderr).toMatch(/clustermesh enable .*--service-type NodePort$/m);
    cluster.setLoadBalancersPending(false);
    await expectConverged();
  });

  it('an address that nobody serves, with a way without it', async () => {
    cluster.setLoadBalancersPending(true);
    const { exitCode, stderr } = await meshctl(
      'enable',
      '--load-balancer-ip',
      '198.51.100.7',
      '--wait-duration',
      '300ms',
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain('It was asked for 198.51.100.7');
    expect(stderr).toMatch(/clustermesh enable .*--service-type NodePort$/m);
    const mended = await meshctl('enable', '--service-type', 'NodePort');
    expect(mended.exitCode, mended.stderr).toBe(0);
    cluster.setLoadBalancersPending(false);
  });

  it('an image that cannot be pulled, with the reason', async () => {
    const image = 'registry.example/clustermesh-apiserver:v1.20.0';
    // At once: nobody waits three minutes for an image that there is not.
    const { exitCode, stderr } = await meshctl('enable', '--image', image, '--wait-duration', '3m');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /Deployment kube-system\/clustermesh-apiserver is not ready after \d(\.\d)? s: pod \S+: container \S+: image registry\.example\/clustermesh-apiserver:v1\.20\.0 cannot be pulled \(ImagePullBackOff: .*not found\)/,
    );
    expect(stderr).toContain('--pull-secret');
    expect(stderr).toMatch(/clustermesh enable .*--image quay\.io\/cilium\/clustermesh-apiserver:v1\.20\.0$/m);
    fault = () => undefined;
    const mended = await meshctl('enable', '--image', 'quay.io/cilium/clustermesh-apiserver:v1.20.0');
    expect(mended.exitCode, mended.stderr).toBe(0);
  });

  it('a node port that another Service has', async () => {
    cluster.store.create(nodePortService(31_000));
    const { exitCode, stderr } = await meshctl('enable', '--service-type', 'NodePort', '--node-port', '31000');
    expect(exitCode).toBe(2);
    expect(stderr).toContain('another Service has the node port 31000');
    cluster.store.delete(refs.service('other'));
  });

  it('a node port that is none of the API server’s', async () => {
    const { exitCode, stderr } = await meshctl('enable', '--service-type', 'NodePort', '--node-port', '20000');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /The range of valid ports is 30000-32767.*\n.*choose one in it \(--node-port, or nodePort in a mesh file\)/,
    );
  });

  it('chooses another node port where the usual one is taken', async () => {
    cluster.store.create(nodePortService(32_379));
    const { exitCode, stdout } = await meshctl('enable', '--service-type', 'NodePort');
    expect(exitCode).toBe(0);
    expect(stdout).not.toContain(':32379');
    cluster.store.delete(refs.service('other'));
  });
});

describe('what others own', () => {
  const deployment = refs.deployment('clustermesh-apiserver');
  const replicas = () => (found(cluster.store.get(deployment), 'Deployment').spec as { replicas: number }).replicas;

  beforeEach(async () => {
    const { exitCode, stderr } = await meshctl('enable');
    expect(exitCode, stderr).toBe(0);
  });

  it('is not overwritten without --force-conflicts; the message names owner and field', async () => {
    const scale = (object: KubeObject) => {
      object.spec = { ...(object.spec as object), replicas: 2 };
    };
    cluster.store.update(deployment, scale, 'keda');
    const plan = await meshctl('enable', '--replicas', '3', '--dry-run');
    expect(plan.stdout).toContain('! spec.replicas is owned by keda: only with --force-conflicts');
    expect(plan.stdout).toContain('Nothing was changed (--dry-run); a run is refused.');
    const { exitCode, stderr } = await meshctl('enable', '--replicas', '3');
    expect([exitCode, plan.exitCode]).toEqual([1, 1]);
    for (const told of [stderr, plan.stderr]) {
      expect(told).toContain('Deployment kube-system/clustermesh-apiserver: spec.replicas (keda)');
      expect(told).toContain('--force-conflicts');
    }
    expect(replicas()).toBe(2);
    const forced = await meshctl('enable', '--replicas', '3', '--force-conflicts');
    expect(forced.exitCode, forced.stderr).toBe(0);
    expect(replicas()).toBe(3);
  });

  it('made by Helm is kept where it is as wanted, and named where it is not', async () => {
    const byHelm = ({ metadata }: KubeObject) => {
      metadata.labels = { ...metadata.labels, 'app.kubernetes.io/managed-by': 'Helm' };
      metadata.annotations = { ...metadata.annotations, 'meta.helm.sh/release-name': 'cilium' };
    };
    cluster.store.update(refs.service('clustermesh-apiserver-metrics'), byHelm, 'helm');
    const { stdout } = await meshctl('enable', '--dry-run');
    expect(stdout).toContain('= keep Service kube-system/clustermesh-apiserver-metrics (made by Helm release cilium)');
    cluster.store.update(refs.service('clustermesh-apiserver'), byHelm, 'helm');
    cluster.store.update(
      refs.service('clustermesh-apiserver'),
      (service) => {
        service.spec = { ...(service.spec as object), selector: { 'k8s-app': 'something-else' } };
      },
      'helm',
    );
    const { exitCode, stderr } = await meshctl('enable');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /Helm release cilium owns fields that would have to change: Service kube-system\/clustermesh-apiserver: spec\.selector\S* \(helm\)/,
    );
    expect(stderr).toContain('--via-helm');
    for (const name of ['clustermesh-apiserver', 'clustermesh-apiserver-metrics'])
      cluster.store.delete(refs.service(name));
  });
});

function serviceEvent(reason: string, message: string): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `clustermesh-apiserver.${reason.toLowerCase()}`, namespace: 'kube-system' },
    involvedObject: { apiVersion: 'v1', kind: 'Service', name: 'clustermesh-apiserver', namespace: 'kube-system' },
    type: 'Warning',
    reason,
    message,
    lastTimestamp: '2026-01-01T00:00:00Z',
  };
}

function nodePortService(nodePort: number): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'other', namespace: 'kube-system' },
    spec: { type: 'NodePort', selector: { app: 'other' }, ports: [{ port: 80, nodePort }] },
  };
}
