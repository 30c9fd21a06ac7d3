import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith, waitForStatus } from '../support/e2e-cli.ts';
import { execIn, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  sandbox = await startTestSandbox();
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2'));
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
  await meshctl.ok(waitForStatus('mesh-1', '20s'));
  await meshctl.ok(waitForStatus('mesh-2', '20s'));
});

afterAll(() => sandbox.close());

interface Entry {
  context: string;
  role: string;
  secret: string;
  subject: string;
  serial: string;
  issuer: string;
  expiresInDays: number;
}

const BOTH = ['--context', 'mesh-1,mesh-2'];

async function certificates(): Promise<Entry[]> {
  return jsonOf(await meshctl.ok(['clustermesh', 'certs', 'list', ...BOTH, '-o', 'json'])).certificates as Entry[];
}

const serials = (entries: readonly Entry[], role: (role: string) => boolean) =>
  entries.filter((entry) => role(entry.role)).map(({ serial }) => serial);

/**
 * Makes connections with what the pods have mounted, over and over, while work goes on: from KVStoreMesh to the peer and
 * from the agents to their cache.
 */
async function pollingConnections<T>(
  work: () => Promise<T>,
): Promise<{ attempts: number; refused: string[]; result: T }> {
  const refused: string[] = [];
  const end = new AbortController();
  let attempts = 0;
  const poll = async (context: string, label: string, container: string, command: string[]) => {
    let endedBefore = false;
    while (!end.signal.aborted) {
      // A pod that goes away in the middle of a question has no answer; its successor is asked next.
      const answer = await execIn(sandbox, context, label, container, command).catch(() => undefined);
      if (!answer) continue;
      attempts += 1;
      // So has a connection whose server's pod ends in the middle of it, or has ended before the load balancer heard of it:
      // the next one must succeed.
      const failures = answer.stdout.split('\n').filter((line) => line.includes('❌'));
      const ended = failures.filter((line) => /error reading from server: EOF|connection refused/.test(line));
      refused.push(...failures.filter((line) => !ended.includes(line)), ...(endedBefore ? ended : []));
      endedBefore = ended.length > 0;
    }
  };
  const polls = ['mesh-1', 'mesh-2'].flatMap((context) => [
    poll(context, 'cilium', 'cilium-agent', ['cilium-dbg', 'troubleshoot', 'clustermesh']),
    poll(context, 'clustermesh-apiserver', 'kvstoremesh', [
      ...['/usr/bin/clustermesh-apiserver', 'kvstoremesh-dbg', 'troubleshoot'],
    ]),
  ]);
  try {
    const result = await work();
    return { attempts, refused, result };
  } finally {
    end.abort();
    await Promise.all(polls);
  }
}

describe('certs list', () => {
  it('has every certificate of each cluster with its role and its user', async () => {
    const entries = await certificates();
    const ofOne = entries.filter(({ context }) => context === 'mesh-1');
    expect(ofOne.map(({ role, subject }) => [role, subject]).sort()).toEqual([
      ['admin', 'admin-mesh-1'],
      ['ca', 'Cilium CA'],
      ['local', 'local-mesh-1'],
      ['peer', 'remote-mesh-1'],
      ['remote', 'remote'],
      ['server', 'clustermesh-apiserver.kube-system.svc'],
    ]);
    expect(entries.every(({ expiresInDays }) => expiresInDays > 1000)).toBe(true);
    const { stdout } = await meshctl.ok(['clustermesh', 'certs', 'list', ...BOTH]);
    expect(stdout).toMatch(/^CONTEXT +ROLE +SUBJECT +ISSUER +EXPIRES IN +NAMES +USED BY\nmesh-1 +ca /);
    expect(stdout).not.toContain('PRIVATE KEY');
  });
});

describe('certs rotate --dry-run', () => {
  const ROTATE = ['clustermesh', 'certs', 'rotate', ...BOTH, '--dry-run'];

  interface PlanData {
    clusters: { context: string; notes?: string[]; steps: { object: { kind: string; name: string }; why: string }[] }[];
  }
  const objectsOf = ({ clusters }: PlanData, context: string) =>
    clusters.find((cluster) => cluster.context === context)?.steps.map(({ object }) => object.name);

  const LEAVES = [
    'clustermesh-apiserver-server-cert',
    'clustermesh-apiserver-admin-cert',
    'clustermesh-apiserver-local-cert',
    'clustermesh-apiserver-remote-cert',
  ];

  it('says per Secret what would be renewed, and changes nothing', async () => {
    const before = await certificates();
    const plan = jsonOf(await meshctl.ok([...ROTATE, '-o', 'json']));
    requireValid(plan);
    for (const context of ['mesh-1', 'mesh-2']) {
      expect(objectsOf(plan as unknown as PlanData, context)).toEqual([...LEAVES, 'cilium-kvstoremesh']);
    }
    expect(plan).toMatchObject({ kind: 'Plan', dryRun: 'client', summary: { create: 0, update: 10, delete: 0 } });
    const { stdout } = await meshctl.ok(ROTATE);
    expect(stdout).toContain('(a new certificate for "remote-mesh-1" to dial mesh-2)');
    expect(stdout).toContain('Nothing was changed (--dry-run).');
    expect(stdout).not.toContain('phase');
    expect(await certificates()).toEqual(before);
  });

  it('with --ca says the two phases and which pods are replaced, and asks nothing', async () => {
    const before = await certificates();
    const data = jsonOf(await meshctl.ok([...ROTATE, '--ca', '-o', 'json'])) as unknown as PlanData;
    expect(objectsOf(data, 'mesh-1')).toEqual([
      'cilium-ca',
      ...LEAVES,
      'cilium-kvstoremesh',
      'cilium-clustermesh',
      'clustermesh-apiserver',
    ]);
    expect(data.clusters[0]?.notes).toMatchObject(
      [/^phase 1: /, /^phase 2: /].map((text) => expect.stringMatching(text)),
    );
    expect((await meshctl.ok([...ROTATE, '--ca'])).stdout).toContain('pods are replaced one by one');
    expect(await certificates()).toEqual(before);
  });

  it('lets the API servers judge it', async () => {
    const before = await certificates();
    const { stdout } = await meshctl.ok(['clustermesh', 'certs', 'rotate', ...BOTH, '--ca', '--dry-run=server']);
    expect(stdout).toContain('the API server accepts all of it');
    expect(await certificates()).toEqual(before);
  });
});

describe('certs rotate', () => {
  it('renews every leaf and each certificate for a peer; no connection is refused meanwhile', async () => {
    const before = await certificates();
    const { refused, attempts } = await pollingConnections(() =>
      meshctl.ok(['clustermesh', 'certs', 'rotate', ...BOTH]),
    );
    expect(refused).toEqual([]);
    expect(attempts).toBeGreaterThan(10);
    const after = await certificates();
    const leaf = (role: string) => role !== 'ca';
    expect(serials(after, (role) => role === 'ca')).toEqual(serials(before, (role) => role === 'ca'));
    expect(serials(after, leaf).filter((serial) => serials(before, leaf).includes(serial))).toEqual([]);
    await meshctl.ok(waitForStatus('mesh-1', '20s'));
  });

  it('renews the CAs in two phases; no connection is refused meanwhile', async () => {
    const before = await certificates();
    const { refused, attempts } = await pollingConnections(() =>
      meshctl.ok(['clustermesh', 'certs', 'rotate', '--ca', '--yes', ...BOTH]),
    );
    expect(refused).toEqual([]);
    expect(attempts).toBeGreaterThan(10);
    const old = before.map(({ serial }) => serial);
    expect((await certificates()).filter(({ serial }) => old.includes(serial))).toEqual([]);
    await meshctl.ok(waitForStatus('mesh-1', '20s'));
    await meshctl.ok(waitForStatus('mesh-2', '20s'));
    const check = await meshctl.ok(['clustermesh', 'check', ...BOTH, '--category', 'tls,peers', '-o', 'short']);
    expect(check.stdout).toContain('✅');
    const enabled = await meshctl.ok(['clustermesh', 'enable', ...BOTH, '--dry-run', '-o', 'json']);
    expect(jsonOf(enabled).summary).toMatchObject({ create: 0, update: 0, delete: 0 });
  });

  it('goes on after it was interrupted', async () => {
    const interrupt = new AbortController();
    const stopped = await meshctl(['clustermesh', 'certs', 'rotate', '--ca', '--yes', ...BOTH], {
      signal: interrupt.signal,
      onOutput: (text) => {
        if (text.includes('Phase 2')) interrupt.abort();
      },
    });
    expect(stopped.exitCode).toBe(130);
    expect(stopped.stderr).toContain('Run the same command again to go on');
    await meshctl.ok(waitForStatus('mesh-1', '20s'));
    await meshctl.ok(['clustermesh', 'certs', 'rotate', '--ca', '--yes', ...BOTH]);
    await meshctl.ok(waitForStatus('mesh-1', '20s'));
    await meshctl.ok(waitForStatus('mesh-2', '20s'));
    await meshctl.ok(['clustermesh', 'check', ...BOTH, '--category', 'tls,peers']);
  });

  it('refuses new CAs while a peer is not named, and changes nothing', async () => {
    const before = await certificates();
    const result = await meshctl(['clustermesh', 'certs', 'rotate', '--ca', '--yes', '--context', 'mesh-1']);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain('connected to mesh-2, which no context was named for');
    expect(await certificates()).toEqual(before);
  });

  it('does not replace a CA without being told to', async () => {
    const before = await certificates();
    const { exitCode, stderr } = await meshctl(['clustermesh', 'certs', 'rotate', '--ca', ...BOTH]);
    expect(exitCode).toBe(2);
    expect(stderr).toContain('Replace the CAs?');
    expect(await certificates()).toEqual(before);
  });
});
