import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Fault } from '../../src/sandbox/apiserver/api.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { briskClock, NEVER_BACK } from '../support/brisk-clock.ts';
import { type CliResult, jsonOf } from '../support/cli.ts';
import {
  type ConnectClusters,
  isMeshWrite,
  type SeenRequest,
  startConnectClusters,
} from '../support/connect-clusters.ts';
import { type InstalledMeshctl, installMeshctl } from '../support/installed.ts';
import { refs } from '../support/sandbox-mesh.ts';

/** Named, and not --all: that would leave out a cluster that cannot be read, and connect the others. */
const CLUSTERS = ['--context', 'mesh-1', '--destination-context', 'mesh-2,mesh-3', '--connection-mode', 'mesh'];
const CONNECT = ['clustermesh', 'connect', ...CLUSTERS];
const DISCONNECT = ['clustermesh', 'disconnect', ...CLUSTERS, '--yes'];
/** A connect of three clusters writes to three objects of each. */
const MESH_WRITES = 9;

let clusters: ConnectClusters;
let before: Record<string, unknown>;

beforeAll(async () => {
  clusters = await startConnectClusters(3);
  before = clusters.objects();
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

beforeEach(() => {
  clusters.fault = undefined;
  clusters.requests.length = 0;
});

/** Every attempt at one request fails: of a broken connection or a 500 the client tries several. */
function breakRequest(chosen: (request: SeenRequest) => boolean, fault: () => Fault | undefined): () => boolean {
  let victim: string | undefined;
  const nameOf = ({ context, httpMethod, path }: SeenRequest) => `${context} ${httpMethod} ${path}`;
  let attempts = 0;
  clusters.fault = async (request) => {
    if (victim === undefined && chosen(request)) victim = nameOf(request);
    // As many as the client makes; after that the cluster is well again.
    if (victim !== nameOf(request) || ++attempts > 5) return undefined;
    return fault();
  };
  return () => victim !== undefined;
}

const FAULTS: Readonly<Record<string, () => Fault | undefined>> = {
  drop: () => 'drop',
  'drop-answer': () => 'drop-answer',
  500: () => {
    throw new ApiError(500, 'InternalError', 'etcdserver: request timed out');
  },
  422: () => {
    throw new ApiError(422, 'Invalid', 'admission webhook said no');
  },
};

/** Counts, and chooses the n-th that fits. */
function nth(n: number, fits: (request: SeenRequest) => boolean): (request: SeenRequest) => boolean {
  let seen = 0;
  return (request) => fits(request) && ++seen === n;
}

/** Either all are connected or all are as before. */
async function expectAllOrNothing(result: CliResult): Promise<void> {
  clusters.fault = undefined;
  if (result.exitCode !== 0) expect(clusters.objects()).toEqual(before);
}

async function expectRerunConnects(): Promise<void> {
  clusters.fault = undefined;
  const again = await clusters.meshctl(CONNECT);
  expect(again.exitCode, again.stderr).toBe(0);
  const parted = await clusters.meshctl(DISCONNECT);
  expect(parted.exitCode, parted.stderr).toBe(0);
  expect(clusters.objects()).toEqual(before);
}

describe('a connect that is cut', () => {
  it.each(Array.from({ length: MESH_WRITES }, (_, index) => index + 1))(
    'at write %i is taken back in every cluster',
    async (write) => {
      const abort = new AbortController();
      const byHand = write % 2 === 0;
      const happened = byHand
        ? breakRequest(nth(write, isMeshWrite), () => {
            abort.abort();
            return undefined;
          })
        : breakRequest(nth(write, isMeshWrite), FAULTS[422] ?? (() => undefined));
      const result = await clusters.meshctl(CONNECT, { signal: abort.signal });
      expect(happened()).toBe(true);
      expect(result.exitCode, result.stderr).toBe(byHand ? 130 : 1);
      if (write > 3) expect(result.stderr).toContain('is as before');
      await expectAllOrNothing(result);
    },
  );

  it.each([
    [7, 'drop'],
    [21, 'drop-answer'],
    [1234, '500'],
    [99, 'drop-answer'],
  ])('at a random point (seed %i, %s) is all there or all gone', async (seed, kind) => {
    const random = randomFrom(seed);
    // Anything but the first look, which is repeated by hand: reads, writes, port-forwards, nudges.
    const point = 40 + Math.floor(random() * 60);
    breakRequest(
      nth(point, () => true),
      FAULTS[kind] ?? (() => undefined),
    );
    const result = await clusters.meshctl([...CONNECT, '--wait-duration', '10s']);
    await expectAllOrNothing(result);
    // Where all is as before, the next one is the same as any first run.
    if (result.exitCode === 0) await expectRerunConnects();
  });

  it('says for a cluster that is gone in the middle how to mend it', async () => {
    let dead = false;
    // Before that its etcd is asked for the plan.
    let wrote = false;
    clusters.fault = async (request) => {
      // mesh-2 goes away for good once it has let its peers in; the last file to be written fails for that.
      if (request.context !== 'mesh-2') return undefined;
      wrote ||= isMeshWrite(request);
      dead ||= wrote && request.subresource === 'portforward';
      return dead ? 'drop' : undefined;
    };
    const options = { clock: briskClock(NEVER_BACK) };
    const result = await clusters.meshctl([...CONNECT, '--wait-duration', '1s', '-o', 'json'], options);
    expect(result.exitCode).not.toBe(0);
    const { error } = jsonOf(result) as {
      error: { details: { rollback: { context: string; outcome: string; mend?: string }[] } };
    };
    const outcomes = Object.fromEntries(error.details.rollback.map(({ context, outcome }) => [context, outcome]));
    // What mesh-2 has is not known by now: another run may have connected it with what this one had made for it.
    expect(outcomes).toEqual({ 'mesh-1': 'left', 'mesh-2': 'incomplete', 'mesh-3': 'left' });
    expect(result.stderr).toContain('remote-mesh-2 stays, because another run may have connected a cluster with it');
    const { mend = '' } = error.details.rollback.find(({ context }) => context === 'mesh-2') ?? {};
    expect(mend).toBe('meshctl clustermesh connect --context mesh-2 --destination-context mesh-1,mesh-3');

    clusters.fault = undefined;
    const mended = await clusters.meshctl(mend.split(' ').slice(1));
    expect(mended.exitCode, mended.stderr).toBe(0);
    await expectRerunConnects();
  });

  it('keeps to --wait-duration where a kubelet never answers', async () => {
    let release = () => {};
    const released = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined);
    });
    clusters.fault = async ({ context, subresource }) =>
      context === 'mesh-2' && subresource === 'portforward' ? released : undefined;
    const result = await clusters.meshctl([...CONNECT, '--wait-duration', '1s']);
    release();
    expect(result).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('did not open within 1 s') });
    expect(result.stderr).toContain('kubectl --context mesh-2 -n kube-system get pod clustermesh-apiserver-');
    await expectAllOrNothing(result);
  });

  it('leaves what stands with --no-rollback, and a rerun goes on from there', async () => {
    breakRequest(nth(MESH_WRITES, isMeshWrite), FAULTS[422] ?? (() => undefined));
    const result = await clusters.meshctl([...CONNECT, '--no-rollback']);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('stay as written (--no-rollback)');
    expect(clusters.objects()).not.toEqual(before);
    await expectRerunConnects();
  });
});

describe('the built program', () => {
  let installed: InstalledMeshctl;
  beforeAll(async () => {
    installed = await installMeshctl();
  });
  afterAll(() => installed?.remove());

  /** Starts it; `exit` resolves with the exit status. */
  function start(argv: readonly string[], stdio: { stdout?: 'pipe' | number; stderr?: 'pipe' | number } = {}) {
    const { stdout = 'pipe', stderr = 'pipe' } = stdio;
    const child = spawn(process.execPath, [installed.entry, ...argv], {
      env: { KUBECONFIG: clusters.kubeconfigPath },
      stdio: ['ignore', stdout, stderr],
    });
    const said = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream]?.on('data', (chunk: Buffer) => {
        said[stream] += chunk.toString();
      });
    }
    return { child, said, exit: once(child, 'exit').then(([code]) => code as number) };
  }

  /** Does something when the n-th write arrives, once. */
  function atWrite(n: number, act: () => void): void {
    breakRequest(nth(n, isMeshWrite), () => {
      act();
      clusters.fault = undefined;
      return undefined;
    });
  }

  it.each([
    ['SIGINT', 2],
    ['SIGINT', 5],
    ['SIGINT', 8],
    ['SIGTERM', 6],
  ] as const)('puts everything back when it gets %s at write %i', async (signal, write) => {
    const { child, said, exit } = start(CONNECT);
    // Once: a second one would end the program at once, in the middle of putting things back.
    atWrite(write, () => child.kill(signal));
    expect(await exit, said.stderr).toBe(130);
    expect(clusters.objects()).toEqual(before);
  });

  // `script` gives it a terminal, and its exit status back; that of other systems has other flags.
  const inTerminal = it.runIf(process.platform === 'linux' && existsSync('/usr/bin/script'));

  /** Connects in a terminal, which hangs up. @param redirected as a shell writes it. @returns the exit status */
  async function hungUp(redirected: string): Promise<unknown> {
    const words = [process.execPath, installed.entry, ...CONNECT, '--yes'].map((word) => `'${word}'`).join(' ');
    const child = spawn('/usr/bin/script', ['-qec', `echo pid $$; exec ${words} ${redirected}`, '/dev/null'], {
      env: { KUBECONFIG: clusters.kubeconfigPath, SHELL: '/bin/sh' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    atWrite(6, () => process.kill(Number(/pid (\d+)/.exec(said)?.[1]), 'SIGHUP'));
    const [code] = await once(child, 'exit');
    return { code, said };
  }

  inTerminal('puts everything back when its terminal hangs up', async () => {
    expect(await hungUp('')).toMatchObject({ code: 130 });
    expect(clusters.objects()).toEqual(before);
  });

  inTerminal('goes on where it only could be typed to there, as under the nohup of macOS and other BSDs', async () => {
    expect(await hungUp('>/dev/null 2>&1')).toMatchObject({ code: 0 });
    expect((await clusters.meshctl(DISCONNECT)).exitCode).toBe(0);
  });

  it('goes on when it is told of a hang-up and has no terminal, as under nohup', async () => {
    const { child, exit, said } = start(CONNECT);
    atWrite(6, () => child.kill('SIGHUP'));
    expect(await exit, said.stderr).toBe(0);
    expect((await clusters.meshctl(DISCONNECT)).exitCode).toBe(0);
  });

  it.each([2, 7])('puts everything back when nobody reads its log any more, at write %i', async (write) => {
    const { child, exit } = start(CONNECT);
    atWrite(write, () => child.stderr?.destroy());
    expect(await exit).toBe(130);
    expect(clusters.objects()).toEqual(before);
  });

  it('begins nothing when its log is on a full disk', async () => {
    const full = await open('/dev/full', 'w');
    const { exit, said } = start([...CONNECT, '--debug', '-o', 'json'], { stderr: full.fd });
    expect(await exit).toBe(130);
    await full.close();
    expect(said.stdout).toContain('"code": "Interrupted"');
    expect(clusters.objects()).toEqual(before);
  });

  it('says that its result found no room, when all is done', async () => {
    const full = await open('/dev/full', 'w');
    const { exit, said } = start(CONNECT, { stdout: full.fd });
    expect(await exit, said.stderr).toBe(1);
    await full.close();
    expect(said.stderr).toMatch(/✖ cannot write the result to stdout: ENOSPC: no space left on device, write\n$/);
    const { stdout } = await clusters.meshctl([...CONNECT, '--dry-run', '-o', 'json']);
    expect((JSON.parse(stdout) as { summary: object }).summary).toMatchObject({ create: 0, update: 0, delete: 0 });
    expect((await clusters.meshctl(DISCONNECT)).exitCode).toBe(0);
  });

  it('connects afterwards as if nothing had been', async () => {
    await expectRerunConnects();
  });
});

describe('--parallel', () => {
  it.each([
    ['connect', [...CONNECT, '--parallel', '1']],
    ['disconnect', [...DISCONNECT, '--parallel', '1']],
  ])('holds for all that %s does', async (_command, argv) => {
    const busy = new Map<string, number>();
    let most = 0;
    clusters.fault = async ({ context }) => {
      busy.set(context, (busy.get(context) ?? 0) + 1);
      most = Math.max(most, [...busy.values()].filter((count) => count > 0).length);
      await delay(2);
      busy.set(context, (busy.get(context) ?? 0) - 1);
      return undefined;
    };
    const result = await clusters.meshctl(argv);
    clusters.fault = undefined;
    expect(result.exitCode, result.stderr).toBe(0);
    expect(most).toBe(1);
  });
});

const USERS = '# by hand\nusers:\n  - role: admin # first\n    name: "ops"\n';

/** Writes users.yaml in every cluster. @returns what was there */
function setUsersFiles(text: (index: number) => string): string[] {
  return clusters.clusters.map(({ store }, index) => {
    let former = '';
    store.update(refs.configMap('clustermesh-remote-users'), (users) => {
      const data = users.data as Record<string, string>;
      former = data['users.yaml'] ?? '';
      users.data = { ...data, 'users.yaml': text(index) };
    });
    return former;
  });
}

describe('two operators at once', () => {
  it('connect different peers to one cluster and lose nothing', async () => {
    const connect = (peer: string) =>
      clusters.meshctl(['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', peer]);
    const results = await Promise.all([connect('mesh-2'), connect('mesh-3')]);
    expect(
      results.map(({ exitCode }) => exitCode),
      results.map(({ stderr }) => stderr).join(),
    ).toEqual([0, 0]);
    const status = await clusters.meshctl([
      ...['clustermesh', 'status', '--context', 'mesh-1', '--wait', '--wait-duration', '30s', '-o', 'json'],
    ]);
    expect(status.exitCode, status.stdout).toBe(0);
    const { peers } = jsonOf(status) as { peers: { name: string }[] };
    expect(peers.map(({ name }) => name)).toEqual(['mesh-2', 'mesh-3']);
    expect((await clusters.meshctl(DISCONNECT)).exitCode).toBe(0);
    expect(clusters.objects()).toEqual(before);
  });

  it.each([1, 3, 5, 7, 9, 11])(
    'whichever fails, at write %i of both, leaves nothing of its own and all of the other',
    async (write) => {
      const former = setUsersFiles(() => USERS);
      const start = clusters.objects();
      const pairs = ['mesh-2', 'mesh-3'];
      breakRequest(nth(write, isMeshWrite), FAULTS[422] ?? (() => undefined));
      const connect = (peer: string, ...more: string[]) =>
        clusters.meshctl(['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', peer, ...more]);
      const results = await Promise.all(pairs.map((peer) => connect(peer, '--no-proof')));
      clusters.fault = undefined;
      for (const [index, { exitCode }] of results.entries()) {
        if (exitCode !== 0) continue;
        const peer = pairs[index] ?? '';
        const { stdout } = await connect(peer, '--dry-run', '-o', 'json');
        expect(JSON.parse(stdout)).toMatchObject({ summary: { create: 0, update: 0, delete: 0 } });
        const pair = ['--context', 'mesh-1', '--destination-context', peer];
        const parted = await clusters.meshctl(['clustermesh', 'disconnect', ...pair, '--yes', '--no-wait']);
        expect(parted.exitCode, parted.stderr).toBe(0);
      }
      expect(clusters.objects()).toEqual(start);
      setUsersFiles((index) => former[index] ?? '');
      expect(clusters.objects()).toEqual(before);
    },
  );

  it('one keeps what the other takes back, and notices', async () => {
    const connect = ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2'];
    const users = ({ resource, verb }: SeenRequest) => resource === 'configmaps' && verb === 'patch';
    let goOn = (): void => undefined;
    const failed = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    let letIn = 0;
    const peersLetIn = new Promise<void>((resolve) => {
      // The first operator lets the peers in, and fails when it is about to dial.
      clusters.fault = async (request) => {
        if (users(request) && ++letIn === 2) resolve();
        if (!isMeshWrite(request) || request.resource !== 'secrets') return undefined;
        await secondHasRead;
        throw new ApiError(422, 'Invalid', 'admission webhook said no');
      };
    });
    let read = (): void => undefined;
    const secondHasRead = new Promise<void>((resolve) => {
      read = resolve;
    });
    const first = clusters.meshctl([...connect, '--no-proof']);
    await peersLetIn;
    // The second one sees the peers let in, keeps them, and dials only when the first has taken them back.
    const second = clusters.meshctl([...connect, '--no-proof'], {
      onOutput: (text) => {
        if (!text.includes('Issuing client certificates')) return;
        clusters.fault = async (request) => {
          if (!isMeshWrite(request) || request.resource !== 'secrets') return undefined;
          await failed;
          return undefined;
        };
        read();
      },
    });
    expect((await first).stderr).toContain('is as before');
    goOn();
    const { exitCode, stderr } = await second;
    expect(exitCode, stderr).toBe(1);
    expect(stderr).toMatch(
      /✖ context "mesh-1": user remote-mesh-2 in ConfigMap kube-system\/clustermesh-remote-users; context "mesh-2": user remote-mesh-1 in ConfigMap \S+: someone else has removed it meanwhile/,
    );
    clusters.fault = undefined;
    expect(clusters.objects()).toEqual(before);
  });

  it('one leaves the users by which the other has connected the same clusters meanwhile', async () => {
    const connect = ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2'];
    let held = 0;
    let release = (): void => undefined;
    const secondIsDone = new Promise<void>((resolve) => {
      release = resolve;
    });
    const firstDials = new Promise<void>((resolve) => {
      clusters.fault = async (request) => {
        if (!isMeshWrite(request) || request.resource !== 'secrets') return undefined;
        if (++held === 2) resolve();
        await secondIsDone;
        throw new ApiError(422, 'Invalid', 'admission webhook said no');
      };
    });
    const first = clusters.meshctl(connect);
    await firstDials;
    clusters.fault = undefined;
    const second = await clusters.meshctl(connect);
    expect(second.exitCode, second.stderr).toBe(0);
    release();
    const failed = await first;
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toContain('remote-mesh-1 stays, because another run has connected a cluster with it');
    const { stdout } = await clusters.meshctl([...connect, '--dry-run', '-o', 'json']);
    expect(JSON.parse(stdout)).toMatchObject({ summary: { create: 0, update: 0, delete: 0 } });
    expect((await clusters.meshctl(DISCONNECT)).exitCode).toBe(0);
    expect(clusters.objects()).toEqual(before);
  });

  it('one fails and puts back only what is its own', async () => {
    const connect = (peer: string) =>
      clusters.meshctl(['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', peer]);
    // The second operator's files fail in the cluster that is only theirs.
    breakRequest(
      ({ context, resource, verb }) => context === 'mesh-3' && resource === 'secrets' && verb === 'patch',
      FAULTS[422] ?? (() => undefined),
    );
    const [good, bad] = await Promise.all([connect('mesh-2'), connect('mesh-3')]);
    expect([good.exitCode, bad.exitCode], good.stderr + bad.stderr).toEqual([0, 1]);
    const parted = await clusters.meshctl([
      ...['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes', '-o', 'json'],
    ]);
    const { steps } = jsonOf(parted) as { steps: { action: string }[] };
    expect(steps.map(({ action }) => action)).toEqual(Array.from({ length: 6 }, () => 'update'));
    expect(clusters.objects()).toEqual(before);
  });
});

/** A small generator of numbers in [0, 1): the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
