import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type CliResult, jsonOf } from '../support/cli.ts';
import {
  type ConnectClusters,
  isMeshWrite,
  type SeenRequest,
  startConnectClusters,
} from '../support/connect-clusters.ts';
import { whileConnecting } from '../support/poll-connections.ts';
import { found, refs } from '../support/sandbox-mesh.ts';

let clusters: ConnectClusters;
const BOTH = ['--context', 'mesh-1,mesh-2'];
const rotate = (...more: string[]) => clusters.meshctl(['clustermesh', 'certs', 'rotate', ...BOTH, ...more]);

beforeAll(async () => {
  clusters = await startConnectClusters(3);
  const connected = await clusters.meshctl([
    'clustermesh',
    'connect',
    '--context',
    'mesh-1',
    '--destination-context',
    'mesh-2',
  ]);
  expect(connected.exitCode, connected.stderr).toBe(0);
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

beforeEach(() => {
  clusters.fault = undefined;
});

interface Entry {
  context: string;
  role: string;
  secret: string;
  serial: string;
  expiresInDays: number;
}

async function certificates(): Promise<Entry[]> {
  const listed = await clusters.meshctl(['clustermesh', 'certs', 'list', ...BOTH, '-o', 'json']);
  return jsonOf(listed).certificates as Entry[];
}

const serialOf = (entries: readonly Entry[], context: string, role: string) =>
  entries.find((entry) => entry.context === context && entry.role === role)?.serial;

function expectOk({ exitCode, stderr }: CliResult): void {
  expect(exitCode, stderr).toBe(0);
}

const expectConnected = async (contexts: readonly string[]) =>
  expectOk(await clusters.meshctl(['clustermesh', 'status', ...contexts, '--wait', '--wait-duration', '30s']));

const clusterOf = (context: string) =>
  found(
    clusters.clusters.find((cluster) => cluster.context === context),
    context,
  );

/** The name of a cluster's clustermesh-apiserver pod. */
const apiserverPod = (context: string) => {
  const pods = clusterOf(context).store.list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' });
  const pod = pods.find(({ metadata }) => metadata.labels?.['k8s-app'] === 'clustermesh-apiserver');
  return found(pod, 'the pod').metadata.name;
};

/** Calls back at the n-th write, before it is carried out. */
function atWrite(n: number, act: (request: SeenRequest) => void): void {
  let seen = 0;
  clusters.fault = async (request) => {
    if (isMeshWrite(request) && ++seen === n) act(request);
    return undefined;
  };
}

/** As if the process had died: from the n-th write on nothing is written any more. */
function deadFromWrite(n: number): void {
  let seen = 0;
  clusters.fault = async (request) => {
    if (isMeshWrite(request)) seen += 1;
    if (seen >= n && ['create', 'patch', 'update', 'delete'].includes(request.verb)) {
      throw new ApiError(403, 'Forbidden', 'secrets is forbidden');
    }
    return undefined;
  };
}

describe('a rotation of the CAs that is cut', () => {
  // With two clusters there are 14, 2, 8, 2 and 14 writes; test/unit/rotation-model.test.ts cuts at each of them.
  it.each([
    [16, 'plain'],
    [26, '--ca'],
    [33, 'plain'],
  ])(
    'at write %i goes on when it is run again (%s), and refuses nobody meanwhile',
    async (write, how) => {
      const { refused } = await whileConnecting(clusters, ['mesh-1', 'mesh-2'], async () => {
        deadFromWrite(write);
        const cut = await rotate('--ca', '--yes');
        expect(cut.exitCode, cut.stderr).not.toBe(0);
        clusters.fault = undefined;
        expectOk(await rotate(...(how === 'plain' ? [] : ['--ca', '--yes'])));
      });
      expect(refused).toEqual([]);
      const plan = await rotate('--ca', '--dry-run', '-o', 'json');
      expect(JSON.stringify(jsonOf(plan))).not.toContain('resumes the rotation');
      expectOk(await clusters.meshctl(['clustermesh', 'check', ...BOTH, '--category', 'tls']));
    },
    120_000,
  );

  it('puts a CA back with its key', async () => {
    const secrets = () =>
      BOTH[1]?.split(',').map((context) => clusterOf(context).store.get(refs.secret('cilium-ca'))?.data);
    const before = secrets();
    let seen = 0;
    let replaced = false;
    clusters.fault = async (request) => {
      if (!isMeshWrite(request) || !request.path.endsWith('/secrets/cilium-ca')) return undefined;
      // The first of the two is written, the second refused.
      if (++seen !== 2) return undefined;
      replaced = true;
      clusterOf('mesh-2').stopPod('kube-system', apiserverPod('mesh-2'));
      throw new ApiError(422, 'Invalid', 'admission webhook said no');
    };
    const result = await rotate('--ca', '--yes');
    expect(result.exitCode).toBe(1);
    expect(replaced).toBe(true);
    clusters.fault = undefined;
    expect(secrets()).toEqual(before);
    // What nobody could ask is not said to be so.
    expect(result.stderr).not.toContain('Nothing is cut off');
    expect(result.stderr).toMatch(
      /Whether a peer is cut off is not known: context "mesh-2": no clustermesh-apiserver pod is ready .*\n?.*→ meshctl clustermesh status --context mesh-1,mesh-2\n/,
    );
    expect(result.stderr).toMatch(/To continue: meshctl clustermesh certs rotate .*--ca$/m);
    clusterOf('mesh-2').startPod('kube-system', apiserverPod('mesh-2'));
    expectOk(await rotate());
  });

  it('puts a phase back that fails, and says what was renewed', async () => {
    const before = await certificates();
    let failed = false;
    let seen = 0;
    clusters.fault = async (request) => {
      if (!isMeshWrite(request) || failed || ++seen < 20) return undefined;
      failed = true;
      throw new ApiError(422, 'Invalid', 'admission webhook said no');
    };
    const result = await rotate('--ca', '--yes');
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('is as before');
    expect(result.stderr).toContain('No certificate cuts anybody off between these clusters: each takes those');
    expect(result.stderr).toContain('Renewed before it stopped: mesh-1: Cilium CA, mesh-2: Cilium CA');
    clusters.fault = undefined;
    const after = await certificates();
    expect(serialOf(after, 'mesh-1', 'server')).toBe(serialOf(before, 'mesh-1', 'server'));
    expect(serialOf(after, 'mesh-1', 'ca')).not.toBe(serialOf(before, 'mesh-1', 'ca'));
    expectOk(await rotate());
    await expectConnected(BOTH);
  });
});

describe('a rotation beside other operators', () => {
  it('does not cut a cluster that is connected to one of them meanwhile', async () => {
    let connecting: Promise<CliResult> | undefined;
    // In the middle of the third phase, with what was read before the first one.
    atWrite(10, () => {
      connecting = clusters.meshctl([
        'clustermesh',
        'connect',
        '--context',
        'mesh-3',
        '--destination-context',
        'mesh-1',
      ]);
    });
    const rotated = await rotate('--ca', '--yes');
    const connected = await found(connecting, 'the connect');
    clusters.fault = undefined;
    if (connected.exitCode === 0) {
      // Either the rotation saw the new peer and stopped, or the connect came after all of it.
      if (rotated.exitCode !== 0) expect(rotated.stderr).toMatch(/mesh-3 was connected meanwhile|someone else/);
    }
    const all = ['--context', 'mesh-1,mesh-2,mesh-3'];
    await expectConnected(connected.exitCode === 0 ? all : BOTH);
    expectOk(await clusters.meshctl(['clustermesh', 'certs', 'rotate', ...all]));
    expectOk(
      await clusters.meshctl([
        'clustermesh',
        'disconnect',
        '--context',
        'mesh-3',
        '--destination-context',
        'mesh-1',
        '--yes',
      ]),
    );
  });

  it('stops for a cluster that is connected in the first phase, and goes on with it as it says', async () => {
    let seen = 0;
    clusters.fault = async (request) => {
      if (!isMeshWrite(request) || ++seen !== 2) return undefined;
      const joined = ['--context', 'mesh-3', '--destination-context', 'mesh-1'];
      expectOk(await clusters.meshctl(['clustermesh', 'connect', ...joined]));
      return undefined;
    };
    const stopped = await rotate('--ca', '--yes', '--cert-validity', '90d');
    clusters.fault = undefined;
    expect(stopped).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('mesh-3 was connected meanwhile') });
    const printed = [...stopped.stderr.matchAll(/meshctl (clustermesh certs rotate .*)$/gm)].map(([, line]) => line);
    const all = ['--context', 'mesh-1,mesh-2,mesh-3'];
    expect(printed).toEqual(['clustermesh certs rotate --context mesh-1,mesh-2,mesh-3 --ca --cert-validity 90d']);
    expectOk(await clusters.meshctl([...found(printed[0], 'the command').split(' '), '--yes']));
    await expectConnected(all);
    expectOk(await clusters.meshctl(['clustermesh', 'disconnect', '--all', '--yes']));
    expectOk(
      await clusters.meshctl([
        'clustermesh',
        'connect',
        ...BOTH.slice(0, 1),
        'mesh-1',
        '--destination-context',
        'mesh-2',
      ]),
    );
  });

  it('goes on or stops without harm when two of them run at once', async () => {
    const results = await Promise.all([rotate('--ca', '--yes'), rotate('--ca', '--yes')]);
    for (const { exitCode, stderr } of results) {
      if (exitCode !== 0) expect(stderr).toMatch(/at the same time|someone else|changed/i);
    }
    expectOk(await rotate());
    await expectConnected(BOTH);
    expectOk(await clusters.meshctl(['clustermesh', 'check', ...BOTH, '--category', 'tls']));
  });
});

describe('an etcd that cannot be queried', () => {
  const scale = async (replicas: number) => {
    const cluster = clusterOf('mesh-2');
    cluster.store.update(refs.deployment('clustermesh-apiserver'), (deployment) => {
      deployment.spec = { ...(deployment.spec as object), replicas };
    });
    await cluster.settled();
  };

  it('is said before anything is written, with the command that mends it', async () => {
    await scale(0);
    const before = await certificates();
    for (const more of [['--dry-run'], ['--wait-duration', '3s']]) {
      const { exitCode, stdout, stderr } = await rotate(...more);
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
      expect(stderr).toContain(
        'context "mesh-2": no clustermesh-apiserver pod is ready: its Deployment is scaled to 0',
      );
      expect(stderr).toMatch(
        /kubectl --context mesh-2 -n kube-system scale deployment\/clustermesh-apiserver --replicas=1/,
      );
    }
    expect(await certificates()).toEqual(before);
    await scale(1);
    expectOk(await rotate());
  });

  it('ends a rotation in time, with the pods that are not ready', async () => {
    const cluster = clusterOf('mesh-2');
    const name = apiserverPod('mesh-2');
    cluster.stopPod('kube-system', name);
    const before = await certificates();
    const plan = await rotate('--dry-run');
    expect(plan.stderr).toContain(
      `no clustermesh-apiserver pod is ready (not ready: ${name}), and nothing is written before one is\n  → kubectl --context mesh-2 -n kube-system describe pods`,
    );
    const started = performance.now();
    const { exitCode, stderr } = await rotate('--wait-duration', '1s');
    expect(exitCode).toBe(1);
    expect(performance.now() - started).toBeLessThan(15_000);
    expect(stderr).toContain('context "mesh-2": no clustermesh-apiserver pod is ready');
    expect(stderr).toContain(name);
    expect(await certificates()).toEqual(before);
    cluster.startPod('kube-system', name);
    expectOk(await rotate());
  });
});
