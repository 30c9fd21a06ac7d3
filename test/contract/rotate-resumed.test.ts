import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { HOLD_MS } from '../../src/mesh/hold.ts';
import { rotationLeaseRef } from '../../src/mesh/objects/names.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import type { CliResult } from '../support/cli.ts';
import { type ConnectClusters, isMeshWrite, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { whileConnecting } from '../support/poll-connections.ts';

/** A rotation of the CAs of two clusters that is killed in each of its phases, and what others do before it is gone on with. */
let clusters: ConnectClusters;
const BOTH = ['--context', 'mesh-1,mesh-2'];
const LEASE = rotationLeaseRef('kube-system');
const rotate = (...more: string[]) => clusters.meshctl(['clustermesh', 'certs', 'rotate', ...BOTH, ...more]);
const run = (line: string) => clusters.meshctl(line.split(' ').slice(1));

function expectOk({ exitCode, stdout, stderr }: CliResult): void {
  expect(exitCode, stdout + stderr).toBe(0);
}

/** The last command line that was printed as a way on. */
const lineIn = ({ stdout, stderr }: CliResult, pattern: RegExp): string =>
  [...(stdout + stderr).matchAll(pattern)].at(-1)?.[1]?.trim() ?? '';

/** With two clusters there are 14, 2, 8, 2 and 14 writes. */
const PHASES: readonly (readonly [phase: number, write: number])[] = [
  [1, 7],
  [2, 16],
  [3, 20],
  [4, 26],
  [5, 33],
];

/** As `kill -9` leaves it: from the n-th write on nothing is written any more, and the mark stays until it is a minute old. */
async function killAt(write: number): Promise<void> {
  let seen = 0;
  clusters.fault = async (request) => {
    if (isMeshWrite(request)) seen += 1;
    if (seen >= write && ['create', 'patch', 'update', 'delete'].includes(request.verb)) {
      throw new ApiError(403, 'Forbidden', 'secrets is forbidden');
    }
    return undefined;
  };
  const cut = await rotate('--ca', '--yes');
  expect(cut.exitCode, cut.stderr).not.toBe(0);
  clusters.fault = undefined;
  // As a minute later.
  for (const { store } of clusters.clusters) {
    if (!store.get(LEASE)) continue;
    store.update(LEASE, (live) => {
      const name = 'meshctl.io/rotation-run';
      const mark = JSON.parse(live.metadata.annotations?.[name] ?? '{}') as { until: string };
      const until = new Date(Date.parse(mark.until) - HOLD_MS - 1000).toISOString();
      live.metadata.annotations = { ...live.metadata.annotations, [name]: JSON.stringify({ ...mark, until }) };
    });
  }
}

beforeAll(async () => {
  clusters = await startConnectClusters(3);
  expectOk(await clusters.meshctl(connect('mesh-1', 'mesh-2')));
});

beforeEach(() => {
  clusters.fault = undefined;
});

afterAll(async () => {
  await clusters?.close();
});

it.each(PHASES)(
  'killed in phase %i it is named as dead, waits for a peer that is down, and goes on after what other operators have done by then',
  async (phase, write) => {
    const ca = phase < 3 ? ['--ca', '--yes'] : [];
    const { refused } = await whileConnecting(clusters, ['mesh-1', 'mesh-2'], async () => {
      await killAt(write);
      const seen = await clusters.meshctl(['clustermesh', 'check', ...BOTH]);
      expect(seen.stdout.replaceAll(/\s+/g, ' ')).toMatch(/certs rotate on \S+, has begun at .* nor been heard of/);
      clusters.fault = async (request) => {
        if (request.context === 'mesh-2') throw new ApiError(503, 'ServiceUnavailable', 'the server is gone');
        return undefined;
      };
      const written = () => clusters.requests.filter((one) => isMeshWrite(one) && !one.dryRun).length;
      const before = written();
      expect((await rotate(...ca)).exitCode).toBe(3);
      expect((await run('meshctl clustermesh certs rotate --context mesh-1 --ca --yes')).exitCode).not.toBe(0);
      expect(written()).toBe(before);
      clusters.fault = undefined;
      expectOk(await clusters.meshctl(['clustermesh', 'enable', '--context', 'mesh-1', '--yes']));
      expectOk(await clusters.meshctl(connect('mesh-1', 'mesh-3')));
      // The third holds a certificate of the CA by now, so it has to be named; the line that says so does it.
      const lacking = await rotate(...ca);
      expect(lacking.exitCode, lacking.stdout + lacking.stderr).not.toBe(0);
      const line = lineIn(lacking, /(meshctl clustermesh certs rotate [^\n;]*)/g);
      expect(line, lacking.stderr).toContain('mesh-3');
      expectOk(await run(`${line} --yes`));
    });
    expect(refused).toEqual([]);
    const all = ['--context', 'mesh-1,mesh-2,mesh-3'];
    expectOk(await clusters.meshctl(['clustermesh', 'check', ...all, '--category', 'tls']));
    expectOk(await clusters.meshctl(['clustermesh', 'status', ...all, '--wait', '--wait-duration', '30s']));
    const part = '--context mesh-1 --destination-context mesh-3 --yes'.split(' ');
    expectOk(await clusters.meshctl(['clustermesh', 'disconnect', ...part]));
  },
);
