import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Fault } from '../../src/sandbox/apiserver/api.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type CliResult, jsonOf } from '../support/cli.ts';
import {
  type ConnectClusters,
  isMeshWrite,
  type SeenRequest,
  startConnectClusters,
} from '../support/connect-clusters.ts';
import { type InstalledMeshctl, installMeshctl } from '../support/installed.ts';

const CONNECT = ['clustermesh', 'connect', '--all', '--connection-mode', 'mesh'];
const DISCONNECT = ['clustermesh', 'disconnect', '--all', '--yes'];
/** A connect of three clusters writes to three objects of each. */
const MESH_WRITES = 9;

let clusters: ConnectClusters;
let before: Record<string, unknown>;

beforeAll(async () => {
  clusters = await startConnectClusters(3);
  before = clusters.objects();
}, 120_000);

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

/** Either all are connected or all are as before; then a rerun connects, and disconnecting leaves nothing. */
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
    60_000,
  );

  it.each([
    [7, 'drop'],
    [21, 'drop-answer'],
    [1234, '500'],
    [99, 'drop-answer'],
  ])(
    'at a random point (seed %i, %s) is all there or all gone',
    async (seed, kind) => {
      const random = randomFrom(seed);
      // Anything but the first look, which is repeated by hand: reads, writes, port-forwards, nudges.
      const point = 40 + Math.floor(random() * 60);
      breakRequest(
        nth(point, () => true),
        FAULTS[kind] ?? (() => undefined),
      );
      await expectAllOrNothing(await clusters.meshctl([...CONNECT, '--wait-duration', '10s']));
      await expectRerunConnects();
    },
    90_000,
  );

  it('says for a cluster that is gone in the middle how to mend it', async () => {
    let dead = false;
    clusters.fault = async (request) => {
      // mesh-2 goes away for good once it has let its peers in; the last file to be written fails for that.
      if (request.context !== 'mesh-2') return undefined;
      dead ||= request.subresource === 'portforward';
      return dead ? 'drop' : undefined;
    };
    const result = await clusters.meshctl([...CONNECT, '--wait-duration', '1s', '-o', 'json']);
    expect(result.exitCode).not.toBe(0);
    const { error } = jsonOf(result) as {
      error: { details: { rollback: { context: string; outcome: string; mend?: string }[] } };
    };
    const outcomes = Object.fromEntries(error.details.rollback.map(({ context, outcome }) => [context, outcome]));
    expect(outcomes).toEqual({ 'mesh-1': 'as-before', 'mesh-2': 'incomplete', 'mesh-3': 'as-before' });
    const { mend = '' } = error.details.rollback.find(({ context }) => context === 'mesh-2') ?? {};
    expect(mend).toBe('meshctl clustermesh disconnect --context mesh-2 --peer mesh-1,mesh-3 --yes');

    clusters.fault = undefined;
    expect((await clusters.meshctl(mend.split(' ').slice(1))).exitCode).toBe(0);
    expect(clusters.objects()).toEqual(before);
  }, 90_000);

  it('leaves what stands with --no-rollback, and a rerun goes on from there', async () => {
    breakRequest(nth(MESH_WRITES, isMeshWrite), FAULTS[422] ?? (() => undefined));
    const result = await clusters.meshctl([...CONNECT, '--no-rollback']);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain('stay as written (--no-rollback)');
    expect(clusters.objects()).not.toEqual(before);
    await expectRerunConnects();
  }, 60_000);
});

describe('the built program', () => {
  let installed: InstalledMeshctl;
  beforeAll(async () => {
    installed = await installMeshctl();
  });
  afterAll(() => installed?.remove());

  it.each([
    ['SIGINT', 2],
    ['SIGINT', 5],
    ['SIGINT', 8],
    ['SIGHUP', 6],
  ] as const)(
    'puts everything back when it gets %s at write %i',
    async (signal, write) => {
      const child = spawn(process.execPath, [installed.entry, ...CONNECT], {
        env: { KUBECONFIG: clusters.kubeconfigPath },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let stderr = '';
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString();
      });
      const exited = once(child, 'exit');
      // Once: a second one would end the program at once, in the middle of putting things back.
      breakRequest(nth(write, isMeshWrite), () => {
        child.kill(signal);
        clusters.fault = undefined;
        return undefined;
      });
      const [code] = (await exited) as [number];
      expect(code, stderr).toBe(130);
      expect(clusters.objects()).toEqual(before);
    },
    60_000,
  );

  it('connects afterwards as if nothing had been', async () => {
    await expectRerunConnects();
  }, 60_000);
});

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
  }, 60_000);

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
  }, 60_000);
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
