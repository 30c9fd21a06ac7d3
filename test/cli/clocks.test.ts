import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataOf, encodeText } from '../../src/mesh/objects/secret-data.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { readBundle } from '../../src/pki/read.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { type CheckEntry, checkEntries } from '../support/check-scenarios.ts';
import { jsonOf } from '../support/cli.ts';
import { type ClusterState, stateOf } from '../support/cluster-state.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { showClock } from '../support/in-process-api.ts';
import { meshText } from '../support/mesh-files.ts';
import { clusterAt, refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const BOTH = 'mesh-1,mesh-2';

const WRONG_MACHINE = /this machine's clock is \d+ (minutes|hours|days) (behind|ahead of)/g;

let sandbox: TestSandbox;
let meshctl: Meshctl;

/** The CAs of a mesh are older than its clocks are apart. */
async function ageAuthorities({ clusters }: TestSandbox, ageMs = 30 * DAY_MS): Promise<void> {
  for (const { store } of clusters) {
    const { certificate, privateKey } = await createAuthority({ now: new Date(Date.now() - ageMs) });
    store.update(refs.secret('cilium-ca'), (secret) => {
      secret.data = { 'ca.crt': encodeText(certificate), 'ca.key': encodeText(privateKey) };
    });
  }
}

/** Every certificate in a Secret of these clusters, with where it is. */
function certificatesIn(clusters: readonly SandboxCluster[]) {
  return clusters.flatMap(({ context, store }) =>
    store.list({ apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system' }).flatMap((secret) =>
      Object.entries(dataOf(secret)).flatMap(([key, text]) => {
        const pem = Buffer.from(text, 'base64').toString();
        if (!pem.includes('BEGIN CERTIFICATE')) return [];
        return readBundle(pem).map(({ notBefore, notAfter, sha256 }) => ({
          at: `${context} ${secret.metadata.name} ${key}`,
          sha256,
          notBefore,
          notAfter,
        }));
      }),
    ),
  );
}

/** Those that are not valid on the clock of each cluster. @param aheadMs how far that of each is ahead */
function refusedIn(clusters: readonly SandboxCluster[], aheadMs: readonly number[]): string[] {
  const certificates = certificatesIn(clusters);
  expect(certificates.length).toBeGreaterThan(10);
  return refusedOf(certificates, aheadMs);
}

function refusedOf(certificates: ReturnType<typeof certificatesIn>, aheadMs: readonly number[]): string[] {
  return certificates.flatMap(({ at, notBefore, notAfter }) =>
    aheadMs.some((ms) => {
      const shown = Date.now() + ms;
      return shown < notBefore.getTime() || shown > notAfter.getTime();
    })
      ? [`${at}: ${notBefore.toISOString()} to ${notAfter.toISOString()}`]
      : [],
  );
}

describe.each([-49 * HOUR_MS, -HOUR_MS, 30 * HOUR_MS])(
  "an operator's machine that is so far ahead of all clusters: %d ms",
  (aheadMs) => {
    const now = () => new Date(Date.now() + aheadMs);
    beforeAll(async () => {
      sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
      meshctl = meshctlWith(sandbox.kubeconfigPath);
    });
    afterAll(() => sandbox.close());

    it('writes only certificates that clusters accept, and says that the clock is to be set', async () => {
      for (const words of [
        enable(BOTH, '--cert-validity', '24h'),
        connect('mesh-1', 'mesh-2'),
        ['clustermesh', 'certs', 'rotate', '--context', BOTH],
        ['clustermesh', 'certs', 'rotate', '--context', BOTH, '--ca', '--yes'],
      ]) {
        const { stderr } = await meshctl.ok(words, { now });
        expect(refusedIn(sandbox.clusters, [0]), words.join(' ')).toEqual([]);
        expect(stderr.match(WRONG_MACHINE)).toHaveLength(1);
      }
    });

    it('finds nothing wrong in a mesh that is well, and nothing old in what was made minutes ago', async () => {
      // By somebody whose clock is right.
      await meshctl.ok(['clustermesh', 'certs', 'rotate', '--context', BOTH]);
      const look = async (...words: string[]) =>
        jsonOf(await meshctl(['clustermesh', ...words, '--context', BOTH, '-o', 'json'], { now }));
      const { checks, clocks } = await look('check', '--category', 'tls');
      expect((checks as CheckEntry[]).filter(({ severity }) => severity === 'fail' || severity === 'warn')).toEqual([]);
      expect(clocks).toEqual([expect.stringMatching(WRONG_MACHINE)]);
      const { summary } = await look('certs', 'rotate', '--older-than', '30d', '--dry-run');
      expect(summary).toMatchObject({ create: 0, update: 0, delete: 0 });
      const { certificates } = await look('certs', 'list');
      expect((certificates as { endsSoon?: boolean }[]).filter(({ endsSoon }) => endsSoon)).toEqual([]);
    });
  },
);

describe.each([-49 * HOUR_MS, -HOUR_MS, 30 * HOUR_MS])(
  'a cluster whose clock is so far ahead of the other one and of the machine: %d ms',
  (aheadMs) => {
    beforeAll(async () => {
      sandbox = await startTestSandbox({ clusters: 3, nodes: 1 });
      meshctl = meshctlWith(sandbox.kubeconfigPath);
      await ageAuthorities(sandbox);
      showClock(clusterAt(sandbox, 'mesh-2').url, aheadMs);
    });
    afterAll(() => sandbox.close());
    const together = () => sandbox.clusters.filter(({ context }) => BOTH.split(',').includes(context));
    const isBeyond = Math.abs(aheadMs) > DAY_MS;

    it('refuses nothing that is written without agreement, and what has to be agreed to names it', async () => {
      for (const words of [
        enable(BOTH, '--cert-validity', '24h'),
        connect('mesh-1', 'mesh-2'),
        ['clustermesh', 'certs', 'rotate', '--context', BOTH],
      ]) {
        const says = `its API server's clock is ${aheadMs < 0 ? '\\S+ \\S+ behind' : '\\S+ \\S+ ahead of'} this machine's`;
        const before = certificatesIn(together());
        const plan = jsonOf(await meshctl([...words, '--dry-run', '-o', 'json'])) as unknown as {
          clusters: { context: string; hazards?: string[] }[];
          clocks: string[];
        };
        expect(plan.clocks).toEqual([expect.stringMatching(new RegExp(`^context "mesh-2": ${says}`))]);
        const planned = plan.clusters.flatMap(({ context, hazards = [] }) => (hazards.length > 0 ? [context] : []));
        expect(planned, words.join(' ')).toEqual(isBeyond ? ['mesh-2'] : []);
        const unasked = await meshctl(words);
        expect(unasked.stderr).toMatch(new RegExp(`context "mesh-2": ${says}`));
        expect(unasked.exitCode, unasked.stderr).toBe(isBeyond ? 2 : 0);
        if (!isBeyond) {
          expect(refusedIn(together(), [0, aheadMs]), words.join(' ')).toEqual([]);
          continue;
        }
        expect(unasked.stderr).toMatch(/Continue, although new certificates .* \(mesh-2\)\?/);
        expect(certificatesIn(together())).toEqual(before);
        await meshctl.ok([...words, '--yes']);
        expect(refusedIn(together(), [0])).toEqual([]);
        expect(refusedIn(together(), [aheadMs])).not.toEqual([]);
      }
    });

    it('is what check finds, and nothing else: no certificate is blamed, and no hint issues one', async () => {
      const entries = await checkEntries(meshctl, BOTH, '--category', 'tls');
      const found = entries.filter(({ severity }) => severity !== 'pass' && severity !== 'skip');
      expect(found).toEqual([
        expect.objectContaining({ id: 'clocks', cluster: 'mesh-2', severity: isBeyond ? 'fail' : 'warn' }),
      ]);
      expect(found[0]?.hint).not.toContain('meshctl');
      const status = await meshctl(['clustermesh', 'status', '--context', BOTH]);
      expect(`${status.stdout}${status.stderr}`).not.toMatch(/expired|not valid before/);
    });

    it('changes nothing that is found in others, as one that has no part in the mesh', async () => {
      const withoutIt = (entries: readonly { id: string; cluster?: string }[]) =>
        entries.filter(({ id, cluster }) => id !== 'clocks' && cluster !== 'mesh-3');
      showClock(clusterAt(sandbox, 'mesh-2').url, 0);
      const look = async () => withoutIt(await checkEntries(meshctl, `${BOTH},mesh-3`, '--category', 'tls'));
      const alike = await look();
      showClock(clusterAt(sandbox, 'mesh-3').url, aheadMs);
      expect(await look()).toEqual(alike);
    });
  },
);

describe.each([HOUR_MS, -HOUR_MS, -49 * HOUR_MS])(
  'a file of clusters, one of which is so far ahead: %d ms',
  (aheadMs) => {
    beforeAll(async () => {
      sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
      meshctl = meshctlWith(sandbox.kubeconfigPath);
      await ageAuthorities(sandbox);
      showClock(clusterAt(sandbox, 'mesh-2').url, aheadMs);
    });
    afterAll(() => sandbox.close());

    it('is applied as by the commands themselves', async () => {
      const input = meshText({ clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }], topology: { type: 'mesh' } });
      const unasked = await meshctl(['apply', '-f', '-'], { input });
      expect(unasked.exitCode, unasked.stderr).toBe(aheadMs < -DAY_MS ? 2 : 0);
      if (aheadMs < -DAY_MS) {
        expect(unasked.stderr).toContain(
          'although new certificates are refused there until its clock, which is 49 hours',
        );
        await meshctl.ok(['apply', '-f', '-', '--yes'], { input });
      }
      expect(refusedIn(sandbox.clusters, aheadMs < -DAY_MS ? [0] : [0, aheadMs])).toEqual([]);
      const { stdout } = await meshctl.ok(['apply', '-f', '-'], { input });
      expect(stdout).toContain('Nothing to change');
    });
  },
);

/**
 * How far that clock is ahead of the right time, which the other cluster has, and the other of these two. Where the limits are is said
 * in test/unit/cluster-clocks.test.ts.
 */
const LONE: readonly ['machine' | 'mesh-2', number][] = [-400 * DAY_MS, -5 * HOUR_MS, -HOUR_MS, 30 * DAY_MS].flatMap(
  (aheadMs): ['machine' | 'mesh-2', number][] => [
    ['machine', aheadMs],
    ['mesh-2', aheadMs],
  ],
);

describe('one cluster whose clock and that of the machine are apart', () => {
  let connected: ClusterState;
  beforeAll(async () => {
    sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
    meshctl = meshctlWith(sandbox.kubeconfigPath);
    await ageAuthorities(sandbox, 500 * DAY_MS);
    await meshctl.ok(enable(BOTH));
    await meshctl.ok(connect('mesh-1', 'mesh-2'));
    connected = stateOf(sandbox.clusters);
  });
  afterAll(() => sandbox.close());

  it.each(LONE)('gets what is valid by both, and no advice to replace anything: %s, %d ms', async (whose, aheadMs) => {
    const { url, store } = clusterAt(sandbox, 'mesh-2');
    const now = () => new Date(Date.now() + (whose === 'machine' ? aheadMs : 0));
    showClock(url, whose === 'mesh-2' ? aheadMs : 0);
    try {
      const found = await checkEntries(
        Object.assign((argv: readonly string[]) => meshctl(argv, { now }), meshctl),
        'mesh-2',
        '--category',
        'tls',
      );
      const bad = found.filter(({ severity }) => severity === 'fail' || severity === 'warn');
      expect(bad.map(({ id }) => id)).toEqual(['clocks']);
      expect(bad[0]?.message).toMatch(/\(\d{4}-\S+Z, and here \d{4}-\S+Z\)/);
      const status = await meshctl(['clustermesh', 'status', '--context', 'mesh-2'], { now });
      expect(`${status.stdout}${status.stderr}`).not.toMatch(
        /--replace-ca|clustermesh enable|certs rotate|expired|not valid/,
      );
      const nothing = await meshctl.ok(enable('mesh-2', '--yes'), { now });
      expect(nothing.stdout).toContain('nothing to change');
      const before = certificatesIn(sandbox.clusters);
      store.delete(refs.secret('clustermesh-apiserver-server-cert'));
      const again = await meshctl.ok(enable('mesh-2', '--yes'), { now });
      expect(again.stderr).toMatch(
        /context "mesh-2": its API server's clock is .* this machine's; set right which is wrong/,
      );
      if (whose === 'mesh-2') expect(again.stderr).not.toContain('mesh-1');
      const rotated = await meshctl(['clustermesh', 'certs', 'rotate', '--context', 'mesh-2', '--yes'], { now });
      expect(`${rotated.stdout}${rotated.stderr}`).not.toContain('--replace-ca');
      // By itself: two that are made in one second have one time.
      const written = certificatesIn(sandbox.clusters).filter(
        ({ sha256 }) => !before.some((one) => one.sha256 === sha256),
      );
      expect(written.length).toBeGreaterThan(0);
      expect(refusedOf(written, [0, aheadMs])).toEqual([]);
    } finally {
      showClock(url, 0);
      connected.restore();
    }
  });

  it.each(LONE.filter(([, aheadMs]) => Math.abs(aheadMs) >= DAY_MS))(
    'is refused certificates that would have expired by one of them, agreed or not: %s, %d ms',
    async (whose, aheadMs) => {
      const { url } = clusterAt(sandbox, 'mesh-2');
      const now = () => new Date(Date.now() + (whose === 'machine' ? aheadMs : 0));
      showClock(url, whose === 'mesh-2' ? aheadMs : 0);
      try {
        const before = certificatesIn(sandbox.clusters);
        const words = ['clustermesh', 'certs', 'rotate', '--context', 'mesh-2', '--cert-validity', '24h', '--yes'];
        const { exitCode, stderr } = await meshctl(words, { now });
        expect(exitCode, stderr).toBe(1);
        expect(stderr).toMatch(/apart, and new certificates do not last as long/);
        expect(certificatesIn(sandbox.clusters)).toEqual(before);
      } finally {
        showClock(url, 0);
      }
    },
  );
});
