import { createPrivateKey, createPublicKey } from 'node:crypto';
import { hostname } from 'node:os';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { distinguishedName } from '../../src/pki/certificate.ts';
import { OID } from '../../src/pki/certificate-der.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { authorityWith } from '../support/authorities.ts';
import { type CliResult, jsonOf } from '../support/cli.ts';
import {
  type ConnectClusters,
  isMeshWrite,
  type SeenRequest,
  startConnectClusters,
} from '../support/connect-clusters.ts';
import { whileConnecting } from '../support/poll-connections.ts';
import { clusterAt, found, refs } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

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

const clusterOf = (context: string) => clusterAt(clusters, context);

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

const LEASE = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  namespace: 'kube-system',
  name: 'meshctl-certs-rotate',
};

/** The mark of a run that has died is good no longer; so it is with that of one which lives, for whoever may not read it. */
function minuteLater(): void {
  for (const { store } of clusters.clusters) if (store.get(LEASE)) store.delete(LEASE);
}

describe('a rotation of the CAs that is cut', () => {
  // With two clusters there are 14, 2, 8, 2 and 14 writes; test/unit/rotation-model.test.ts cuts at each of them.
  it.each([
    [16, 'plain'],
    [26, '--ca'],
    [33, 'plain'],
  ])('at write %i goes on when it is run again (%s), and refuses nobody meanwhile', async (write, how) => {
    const { refused } = await whileConnecting(clusters, ['mesh-1', 'mesh-2'], async () => {
      deadFromWrite(write);
      const cut = await rotate('--ca', '--yes');
      expect(cut.exitCode, cut.stderr).not.toBe(0);
      clusters.fault = undefined;
      minuteLater();
      expectOk(await rotate(...(how === 'plain' ? [] : ['--ca', '--yes'])));
    });
    expect(refused).toEqual([]);
    const plan = await rotate('--ca', '--dry-run', '-o', 'json');
    expect(JSON.stringify(jsonOf(plan))).not.toContain('resumes the rotation');
    expectOk(await clusters.meshctl(['clustermesh', 'check', ...BOTH, '--category', 'tls']));
  });

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

  it('begins from a CA that was lost, refuses nobody meanwhile, and takes away again what a phase that fails has made', async () => {
    const ca = refs.secret('cilium-ca');
    clusterOf('mesh-1').store.delete(ca);
    let failed = false;
    clusters.fault = async (request) => {
      if (failed || request.context !== 'mesh-2' || !isMeshWrite(request)) return undefined;
      if (!request.path.endsWith('/secrets/cilium-ca')) return undefined;
      failed = true;
      throw new ApiError(422, 'Invalid', 'admission webhook said no');
    };
    const { refused } = await whileConnecting(clusters, ['mesh-1', 'mesh-2'], async () => {
      const cut = await rotate('--ca', '--yes');
      expect([cut.exitCode, failed], cut.stderr).toEqual([1, true]);
      expect(clusterOf('mesh-1').store.get(ca)).toBeUndefined();
      clusters.fault = undefined;
      expectOk(await rotate('--ca', '--yes'));
    });
    expect(refused).toEqual([]);
    expectOk(await clusters.meshctl(['clustermesh', 'check', ...BOTH, '--category', 'tls']));
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

/** A rotation of the CAs that is interrupted as soon as it says these words. */
async function stopRotation(words: string): Promise<void> {
  const interrupt = new AbortController();
  const stopped = await clusters.meshctl(['clustermesh', 'certs', 'rotate', ...BOTH, '--ca', '--yes'], {
    signal: interrupt.signal,
    onOutput: (text) => {
      if (text.includes(words)) interrupt.abort();
    },
  });
  expect(stopped.exitCode).toBe(130);
}

describe('an etcd that has not read what its pods are marked by', () => {
  it('is started anew by the run that goes on, which comes to its end', async () => {
    const server = refs.secret('clustermesh-apiserver-server-cert');
    const cluster = clusterOf('mesh-1');
    const setTrusted = (text: string | undefined) =>
      cluster.store.update(server, (secret) => {
        secret.data = { ...(secret.data as object), 'ca.crt': text };
      });
    const former = (cluster.store.get(server)?.data as Record<string, string> | undefined)?.['ca.crt'];
    await stopRotation('Phase 3 of 5');
    const both = (cluster.store.get(server)?.data as Record<string, string> | undefined)?.['ca.crt'];
    setTrusted(former);
    cluster.store.delete({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', name: apiserverPod('mesh-1') });
    const isReady = ({ status }: KubeObject) =>
      (status as { conditions?: { type: string; status: string }[] } | undefined)?.conditions?.some(
        ({ type, status: is }) => type === 'Ready' && is === 'True',
      );
    await expect
      .poll(() =>
        cluster.store
          .list({ apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system' })
          .filter(({ metadata }) => metadata.labels?.['k8s-app'] === 'clustermesh-apiserver')
          .map(isReady),
      )
      .toEqual([true]);
    setTrusted(both);
    const goesOn = await rotate('--wait-duration', '30s');
    expectOk(goesOn);
    expect(goesOn.stderr).toContain(
      'context "mesh-1": its etcd refuses certificates of the CA that its pods are marked',
    );
    await expectConnected(BOTH);
    expectOk(await clusters.meshctl(['clustermesh', 'check', ...BOTH, '--category', 'tls']));
  });
});

it('puts the CAs back before pods start that are to read them', async () => {
  let restarts = 0;
  const after: string[] = [];
  clusters.fault = async ({ verb, resource, path, context }) => {
    if (verb !== 'patch' || !['secrets', 'deployments'].includes(resource)) return undefined;
    if (restarts === 4) {
      if (context === 'mesh-1') after.push(path.split('/').at(-1) ?? '');
      return undefined;
    }
    if (resource !== 'deployments' || ++restarts < 4) return undefined;
    // Of the last phase, the other one stands.
    throw new ApiError(422, 'Invalid', 'admission webhook said no');
  };
  const rotated = await rotate('--ca', '--yes');
  clusters.fault = undefined;
  expect(rotated).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('Phase 5 of 5') });
  const first = after.indexOf('clustermesh-apiserver');
  expect([after.slice(0, first), after.slice(first)]).toEqual([
    expect.arrayContaining(['clustermesh-apiserver-server-cert']),
    expect.not.arrayContaining(['clustermesh-apiserver-server-cert']),
  ]);
  expectOk(await rotate());
  await expectConnected(BOTH);
});

describe('a rotation beside other operators', () => {
  it('does not cut a cluster that is connected to one of them meanwhile', async () => {
    let connecting: Promise<CliResult> | undefined;
    // In the middle of the third phase, with what was read before the first one.
    atWrite(10, () => {
      minuteLater();
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
      minuteLater();
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

  /** The CAs beside the server's certificate of mesh-1, as stored. */
  const trusted = () => {
    const secret = clusterOf('mesh-1').store.get(refs.secret('clustermesh-apiserver-server-cert'));
    return (secret?.data as Record<string, string> | undefined)?.['ca.crt'];
  };
  const setTrusted = (text: string | undefined) =>
    clusterOf('mesh-1').store.update(refs.secret('clustermesh-apiserver-server-cert'), (secret) => {
      secret.data = { ...(secret.data as object), 'ca.crt': text };
    });

  // Pods that start then read what somebody else has put there.
  it.each([
    [
      'before its pods are replaced',
      ({ resource, verb }: SeenRequest) => resource === 'deployments' && verb === 'patch',
    ],
    ['while they are', ({ resource, verb }: SeenRequest) => resource === 'replicasets' || verb === 'watch'],
  ])('marks no pods by CAs that are not there any more: taken away %s', async (_when, isIt) => {
    const before = trusted();
    let isTaken = false;
    clusters.fault = async (request) => {
      if (isTaken || request.context !== 'mesh-1' || !isIt(request) || trusted() === before) return undefined;
      isTaken = true;
      setTrusted(before);
      return undefined;
    };
    const rotated = await rotate('--ca', '--yes');
    clusters.fault = undefined;
    expectOk(rotated);
    expect(isTaken).toBe(true);
    expect(rotated.stderr).toContain('was changed meanwhile: someone else changed it first; reading again');
    await expectConnected(BOTH);
  });

  it('is left alone by a routine one, which says who is at work, and comes to its end', async () => {
    let other: CliResult | undefined;
    clusters.fault = async ({ verb, resource, path }) => {
      // Its Secrets are written, and no pod is replaced yet.
      if (other || verb !== 'patch' || resource !== 'deployments' || trusted() === before) return undefined;
      expect(path).toMatch(/clustermesh-apiserver$/);
      clusters.fault = undefined;
      other = await rotate();
      return undefined;
    };
    const before = trusted();
    const rotated = await rotate('--ca', '--yes');
    expectOk(rotated);
    expect(rotated.stderr).not.toContain('reading again');
    expect(other).toMatchObject({ exitCode: 1, stdout: '' });
    expect(other?.stderr).toMatch(
      new RegExp(
        `another run, certs rotate on ${hostname()}, is at work there at the same time, since 20.*\\n {2}→ Wait until`,
      ),
    );
    for (const context of ['mesh-1', 'mesh-2']) expect(clusterOf(context).store.get(LEASE)).toBeUndefined();
    await expectConnected(BOTH);
  });

  it('is not taken back by one that renews what is old: how it goes on is said, and the exit status is 1', async () => {
    await stopRotation('Phase 2 of 5');
    const before = clusters.objects();
    const old = ['--older-than', '60d'];
    const plan = await rotate(...old, '--dry-run');
    const routine = await rotate(...old);
    const data = await rotate(...old, '-o', 'json');
    expect(clusters.objects()).toEqual(before);
    for (const { exitCode, stdout } of [plan, routine]) {
      expect(exitCode).toBe(1);
      expect(stdout).toMatch(
        /✗ mesh-1: a rotation of the CA is unfinished: it is in phase 2 of 5 .*; --older-than leaves/,
      );
      expect(stdout.replaceAll(/\s+/g, ' ')).toContain('meshctl clustermesh certs rotate --context mesh-1,mesh-2 --ca');
    }
    expect(jsonOf(data)).toMatchObject({ midway: [{ context: 'mesh-1' }, { context: 'mesh-2' }] });
    requireValid(jsonOf(data));
    const back = await rotate();
    expectOk(back);
    expect(back.stdout).toContain('what was to replace it is no longer trusted');
  });

  it.each([
    ['may not be deleted', Number.POSITIVE_INFINITY, new ApiError(403, 'Forbidden', 'leases is forbidden')],
    ['is not deleted at the first try', 1, new ApiError(409, 'Conflict', 'the object has been modified')],
  ])('holds no cluster once it has ended, also where its Lease %s', async (_what, times, error) => {
    let refusals = 0;
    clusters.fault = async ({ resource, verb }) => {
      if (resource !== 'leases' || verb !== 'delete' || refusals >= times) return undefined;
      refusals += 1;
      throw error;
    };
    expectOk(await rotate());
    expect(refusals).toBeGreaterThan(0);
    const live = clusterOf('mesh-1').store.get(LEASE);
    expect(live?.metadata.annotations?.['meshctl.io/rotation-run']).toBeUndefined();
    expectOk(await rotate());
  });

  it('goes on where it may not say that it is at work, with a warning', async () => {
    clusters.fault = async ({ resource, context }) => {
      if (resource === 'leases' && context === 'mesh-2') throw new ApiError(403, 'Forbidden', 'leases is forbidden');
      return undefined;
    };
    const rotated = await rotate();
    expectOk(rotated);
    expect(rotated.stderr.replaceAll(/\s+/g, ' ')).toContain(
      ': another rotation that begins in context "mesh-2" meanwhile would not be stopped',
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

describe('certificates of a cluster that its etcd does not show well', () => {
  const servers = () =>
    clusters.clusters.map(({ store }) => store.get(refs.secret('clustermesh-apiserver-server-cert'))?.data);

  // Both sign as before; what the one has signed, no client of TLS takes from a server.
  const forClientsOnly = () => {
    const texts = clusterOf('mesh-2').store.get(refs.secret('cilium-ca'))?.data as Record<string, string>;
    const privateKey = createPrivateKey(Buffer.from(found(texts['ca.key'], 'a key'), 'base64'));
    const keys = { privateKey, publicKey: createPublicKey(privateKey) };
    const { certificate } = authorityWith(distinguishedName('Cilium CA'), keys, { uses: [OID.clientAuth] });
    const secret = refs.secret('cilium-ca');
    const before = clusterOf('mesh-2').store.get(secret)?.data as Record<string, string>;
    const set = (text: string | undefined) =>
      clusterOf('mesh-2').store.update(secret, (object) => {
        object.data = { ...before, 'ca.crt': text };
      });
    set(Buffer.from(certificate).toString('base64'));
    return () => set(before['ca.crt']);
  };

  it.each([
    ['to peers', BOTH],
    ['to itself alone', ['--context', 'mesh-3']],
  ])('are taken back, and what was there goes on: %s', async (_whom, contexts) => {
    const [name] = found(contexts[1], 'contexts').split(',').slice(-1);
    const cluster = clusterOf(found(name, 'a cluster'));
    const before = servers();
    let pod: string | undefined;
    clusters.fault = async ({ context, path, verb }) => {
      if (context !== cluster.context || verb !== 'patch' || pod || !path.endsWith('-local-cert')) return undefined;
      pod = apiserverPod(cluster.context);
      cluster.stopPod('kube-system', pod);
      return undefined;
    };
    const rotated = await clusters.meshctl([
      ...['clustermesh', 'certs', 'rotate', ...contexts, '--wait-duration', '2s'],
    ]);
    clusters.fault = undefined;
    expect(rotated.exitCode, rotated.stderr).toBe(1);
    expect(rotated.stderr).toContain('is as before');
    expect(rotated.stderr).toContain('Nothing was renewed before it stopped');
    expect(servers()).toEqual(before);
    cluster.startPod('kube-system', found(pod, 'the pod'));
    await expectConnected(BOTH);
    expectOk(await clusters.meshctl(['clustermesh', 'certs', 'rotate', ...contexts]));
    expect(servers()).not.toEqual(before);
  });

  it('are those of a CA that may sign for no server, and peers keep those that they connect by', async () => {
    const restore = forClientsOnly();
    const before = servers();
    const rotated = await rotate('--older-than', '0d', '--wait-duration', '2s');
    expect(servers()).toEqual(before);
    restore();
    expect(rotated.exitCode, rotated.stderr).toBe(1);
    expect(rotated.stderr).toContain('is as before');
    expect(rotated.stderr).not.toContain('Whoever uses these is cut off');
    await expectConnected(BOTH);
    expectOk(await rotate());
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
