import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOLD_MS, withHold } from '../../src/mesh/hold.ts';
import { rotationLeaseRef } from '../../src/mesh/objects/names.ts';
import { failureOf, jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import { connect, enable, type Meshctl } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { untilHealthy } from '../support/open-look.ts';
import { opensslObjections } from '../support/openssl-proof.ts';
import { whileConnecting } from '../support/poll-connections.ts';
import { clusterAt, found, refs, setSecret, type TestSandbox } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

let sandbox: TestSandbox;
let meshctl: Meshctl;

beforeAll(async () => {
  ({ sandbox, meshctl } = await startConnectedMesh());
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
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
    expect(stdout).toMatch(/^CONTEXT +ROLE +SUBJECT +ISSUER +SERIAL +EXPIRES IN\nmesh-1 +ca /);
    for (const { serial } of entries) expect(stdout).toContain(` ${serial.slice(0, 8)}… `);
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
    expect(stdout).not.toContain('PRIVATE KEY');
  });

  it('has only rows without headings, and only names of Secrets for kubectl', async () => {
    const rows = await meshctl.ok(['clustermesh', 'certs', 'list', '--no-headers', ...BOTH]);
    expect(
      rows.stdout
        .trimEnd()
        .split('\n')
        .map((row) => row.split(/ +/)[0]),
    ).toEqual((await certificates()).map(({ context }) => context));
    const namesOf = async (...words: string[]) =>
      (await meshctl.ok(['clustermesh', 'certs', 'list', '-o', 'name', ...words])).stdout.trimEnd().split('\n');
    const names = await namesOf('--context', 'mesh-1');
    expect(names).toContain('secret/clustermesh-apiserver-server-cert');
    expect(new Set(names).size).toBe(names.length);
    // Of several clusters, each Secret of each, with where it is.
    const all = await namesOf(...BOTH);
    expect(all.filter((line) => line.startsWith('mesh-1 '))).toEqual(names.map((name) => `mesh-1 ${name}`));
    expect(all).toContain('mesh-2 secret/clustermesh-apiserver-server-cert');
  });
});

describe('certs rotate --dry-run', () => {
  const ROTATE = ['clustermesh', 'certs', 'rotate', ...BOTH, '--dry-run'];

  interface PlanData {
    clusters: {
      context: string;
      peers: { peer: string; becomes: string }[];
      steps: { object: { kind: string; name: string }; phase: string }[];
    }[];
  }
  const stepsOf = ({ clusters }: PlanData, context: string) =>
    clusters.find((cluster) => cluster.context === context)?.steps ?? [];
  const objectsOf = (plan: PlanData, context: string) => stepsOf(plan, context).map(({ object }) => object.name);

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
    expect(stdout).toContain('certificate remote-mesh-1 (2048 bit, 1095 days), issued by the CA of mesh-2');
    expect(stdout).toContain('= peer mesh-2 stays connected');
    expect(stdout).toContain('Nothing was changed (--dry-run).');
    expect(stdout).toContain('Phase 2 of 2: issue the certificates with which clusters dial each other');
    expect(await certificates()).toEqual(before);
  });

  it('with --ca says the phases and which pods are replaced, and asks nothing', async () => {
    const before = await certificates();
    const data = jsonOf(await meshctl.ok([...ROTATE, '--ca', '-o', 'json'])) as unknown as PlanData;
    requireValid(data as unknown as Record<string, unknown>);
    const steps = stepsOf(data, 'mesh-1');
    const phases = [...new Set(steps.map(({ phase }) => phase))];
    expect(phases).toEqual([
      'trust the new CA along with the present one',
      'replace the present CA with the new one',
      'issue the certificates of each cluster',
      'issue the certificates with which clusters dial each other',
      'stop trusting the former CA',
    ]);
    const trusting = [...LEAVES, 'cilium-kvstoremesh', 'cilium-clustermesh', 'clustermesh-apiserver'];
    const inPhase = (index: number) =>
      steps.filter(({ phase }) => phase === phases[index]).map(({ object }) => object.name);
    expect(phases.map((_, index) => inPhase(index))).toEqual([
      trusting,
      ['cilium-ca'],
      LEAVES,
      ['cilium-kvstoremesh'],
      trusting,
    ]);
    expect(data.clusters[0]?.peers).toMatchObject([{ peer: 'mesh-2', becomes: 'moved' }]);
    const { stdout } = await meshctl.ok([...ROTATE, '--ca']);
    expect(stdout).not.toContain('stays connected');
    expect(stdout).toContain(
      '~ peer mesh-2 reconnects: both CAs are trusted until all certificates are from the new one; the only pod of',
    );
    expect(stdout).toContain('Phase 5 of 5: stop trusting the former CA');
    expect(stdout).toContain('its pods are replaced one by one');
    expect(await certificates()).toEqual(before);
  });

  it('lets the API servers judge it', async () => {
    const before = await certificates();
    const { stdout, stderr } = await meshctl.ok([
      ...['clustermesh', 'certs', 'rotate', ...BOTH, '--ca', '--dry-run=server'],
    ]);
    expect(stderr.replaceAll(/\s+/g, ' ')).toContain(
      'what else uses Secret cilium-ca, as Hubble does, keeps its certificates from the former CA',
    );
    expect(stdout).toContain(
      'the API server accepts what can be tried; only the run tries the proof of the credentials',
    );
    expect(await certificates()).toEqual(before);
  });
});

describe('certs rotate', () => {
  it('begins with certificates that openssl takes for what each side takes them for', () => {
    expect(opensslObjections(sandbox.clusters)).toEqual([]);
  });

  it('renews every leaf and each certificate for a peer; no connection is refused meanwhile', async () => {
    const before = await certificates();
    const { refused, attempts } = await whileConnecting(sandbox, ['mesh-1', 'mesh-2'], () =>
      meshctl.ok(['clustermesh', 'certs', 'rotate', ...BOTH]),
    );
    expect(refused).toEqual([]);
    expect(attempts).toBeGreaterThan(10);
    const after = await certificates();
    const leaf = (role: string) => role !== 'ca';
    expect(serials(after, (role) => role === 'ca')).toEqual(serials(before, (role) => role === 'ca'));
    expect(serials(after, leaf).filter((serial) => serials(before, leaf).includes(serial))).toEqual([]);
    expect(opensslObjections(sandbox.clusters)).toEqual([]);
    await untilHealthy(sandbox, ['mesh-1']);
  });

  it('renews the CAs in two phases; no connection is refused meanwhile', async () => {
    const before = await certificates();
    const { refused, attempts } = await whileConnecting(sandbox, ['mesh-1', 'mesh-2'], () =>
      meshctl.ok(['clustermesh', 'certs', 'rotate', '--ca', '--yes', ...BOTH]),
    );
    expect(refused).toEqual([]);
    expect(attempts).toBeGreaterThan(10);
    const old = before.map(({ serial }) => serial);
    expect((await certificates()).filter(({ serial }) => old.includes(serial))).toEqual([]);
    expect(opensslObjections(sandbox.clusters)).toEqual([]);
    await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
    const check = await meshctl.ok(['clustermesh', 'check', ...BOTH, '--category', 'tls,peers', '-o', 'short']);
    expect(check.stdout).toContain('✅');
    for (const again of [
      ['enable', ...BOTH],
      ['connect', '--all', '--connection-mode', 'mesh'],
    ]) {
      const plan = await meshctl.ok(['clustermesh', ...again, '--dry-run', '-o', 'json']);
      expect(jsonOf(plan).summary).toMatchObject({ create: 0, update: 0, delete: 0 });
    }
  });

  it('goes on after it was interrupted', async () => {
    const interrupt = new AbortController();
    const stopped = await meshctl(['clustermesh', 'certs', 'rotate', '--ca', '--yes', ...BOTH], {
      signal: interrupt.signal,
      onOutput: (text) => {
        if (text.includes('Phase 3 of 5')) interrupt.abort();
      },
    });
    expect(stopped.exitCode).toBe(130);
    expect(stopped.stderr).toContain('Renewed before it stopped: mesh-1: Cilium CA, mesh-2: Cilium CA');
    expect(stopped.stderr).toContain(
      'Whether a peer is cut off is not known: it was interrupted before a look at it\n  → meshctl clustermesh status --context mesh-1,mesh-2\n',
    );
    expect(stopped.stderr).toContain('The new CA and the former one are both trusted');
    expect(stopped.stderr).toMatch(/To continue: meshctl clustermesh certs rotate .*--context mesh-1,mesh-2$/m);
    const tls = await meshctl.ok(['clustermesh', 'check', ...BOTH, '--category', 'tls', '-o', 'short']);
    const way = 'meshctl clustermesh certs rotate --context mesh-1,mesh-2';
    expect(tls.stdout).toContain('it is in phase 3 of 5 (issue the certificates of each cluster)');
    expect(tls.stdout).toContain(way);
    const alone = await meshctl.ok(['clustermesh', 'check', '--context', 'mesh-1', '--category', 'tls', '-o', 'json']);
    expect(jsonOf(alone).checks).toContainEqual(
      expect.objectContaining({ id: 'tls-rotation', severity: 'warn', hint: way }),
    );
    const list = await meshctl.ok(['clustermesh', 'certs', 'list', '--context', 'mesh-1']);
    expect(list.stdout).toContain(`   → ${way}`);
    for (const again of [enable('mesh-1'), connect('mesh-1', 'mesh-2')]) {
      const kept = await meshctl.ok([...again, '--dry-run', '-o', 'json']);
      requireValid(jsonOf(kept));
      expect(jsonOf(kept).summary).toMatchObject({ create: 0, update: 0, delete: 0 });
      expect(kept.stderr.replaceAll(/\s+/g, ' ')).toContain(`certificates of either are good. To continue → ${way}`);
    }
    // By a run that is at work it is to be waited for: what goes on with it is refused meanwhile.
    const { name, namespace = '', ...kind } = rotationLeaseRef('kube-system');
    const since = new Date();
    const mark = { run: 'abc', host: 'jumphost', since, until: new Date(since.getTime() + HOLD_MS) };
    const { store } = clusterAt(sandbox, 'mesh-1');
    store.create(withHold('rotation', { ...kind, metadata: { name, namespace } }, mark));
    const atWork =
      /another run, certs rotate on jumphost, is at work there at a rotation of the CA, since 20\S+: it is in phase 3 .* → Wait until certs rotate on jumphost has ended\./;
    const pair = meshText({ clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }], topology: { type: 'mesh' } });
    for (const look of [
      [...enable('mesh-1'), '--dry-run'],
      [...connect('mesh-1', 'mesh-2'), '--dry-run'],
      ['clustermesh', 'certs', 'list', '--context', 'mesh-1'],
      ['diff', '-f', '-'],
    ]) {
      const { stdout, stderr } = await meshctl(look, { input: pair });
      const says = `${stdout} ${stderr}`.replaceAll(/\s+/g, ' ');
      expect(says, look.join(' ')).toMatch(atWork);
      expect(says).not.toMatch(/mesh-1"?: a rotation of the CA is unfinished/);
    }
    store.delete(rotationLeaseRef('kube-system'));
    await meshctl.ok(enable('mesh-1'));
    const parting = await meshctl.ok([
      ...['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--dry-run'],
    ]);
    expect(parting.stderr).toContain('meshctl clustermesh check --context mesh-1,mesh-2 --category tls');
    const invited = failureOf(await meshctl(['clustermesh', 'invite', '--context', 'mesh-1']));
    expect(invited.says).toMatch(new RegExp(`Finish it first: ${way}$`, 'm'));
    const goesOn = await meshctl.ok(['clustermesh', 'certs', 'rotate', ...BOTH, '--dry-run']);
    expect(goesOn.stdout).toContain('resumes the rotation of the CA that was interrupted');
    expect(goesOn.stdout).toContain('stop trusting the former CA');
    // A run that is stopped too before it has done a phase leaves it in the middle all the same.
    const again = new AbortController();
    const nothing = await meshctl(['clustermesh', 'certs', 'rotate', ...BOTH], {
      signal: again.signal,
      onOutput: (text) => {
        if (text.includes('Phase 3 of 5')) again.abort();
      },
    });
    const left = nothing.stderr.replaceAll(/\s+/g, ' ');
    expect([nothing.exitCode, left]).toEqual([130, expect.stringContaining('Nothing was renewed before it stopped')]);
    for (const context of ['mesh-1', 'mesh-2'])
      expect(left).toMatch(new RegExp(`"${context}": a rotation .* it is in phase 3 of 5 .* To continue: ${way}\\b`));
    await untilHealthy(sandbox, ['mesh-1']);
    await meshctl.ok(['clustermesh', 'certs', 'rotate', ...BOTH]);
    await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
    await meshctl.ok(['clustermesh', 'check', ...BOTH, '--category', 'tls,peers']);
  });

  it('says that the former CA is not trusted any more where it is interrupted after that, and leads to no other rotation', async () => {
    const interrupt = new AbortController();
    const stopped = await meshctl(['clustermesh', 'certs', 'rotate', '--ca', '--yes', ...BOTH], {
      signal: interrupt.signal,
      onOutput: (text) => {
        if (/✔ Phase 5 of 5/.test(text)) interrupt.abort();
      },
    });
    expect(stopped.exitCode).toBe(130);
    const said = stopped.stderr.replaceAll(/\s+/g, ' ');
    expect(said).not.toContain('both trusted');
    expect(said).not.toContain('To continue');
    const look = /Whether anything is left → meshctl (clustermesh check .* --category tls)\b/.exec(said)?.[1] ?? '';
    expect(said).toContain('come to its end in mesh-1, mesh-2, where only the present CA is trusted');
    expect((await meshctl.ok(look.split(' '))).stdout).toContain('√ no rotation of a CA is unfinished');
  });

  it('refuses new CAs while a peer is not named, and changes nothing', async () => {
    const before = await certificates();
    const result = await meshctl(['clustermesh', 'certs', 'rotate', '--ca', '--yes', '--context', 'mesh-1']);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain(
      'connected to mesh-2, for which no context was given; a new CA cuts off peers left out',
    );
    expect(result.stderr).toContain('meshctl clustermesh certs rotate --context mesh-1,mesh-2 --ca');
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

// The last one: what it puts back is not meshctl's own any more.
describe('certs list of a cluster that lacks some', () => {
  it('has a row for what is missing or cannot be read, and exits 1', async () => {
    const one = found(sandbox.clusters[0], 'mesh-1');
    const server = found(one.store.get(refs.secret('clustermesh-apiserver-server-cert')), 'the server certificate');
    const peers = found(one.store.get(refs.secret('cilium-kvstoremesh')), 'the peering files').data;
    one.store.delete(refs.secret('clustermesh-apiserver-server-cert'));
    setSecret(one, 'cilium-kvstoremesh', { 'mesh-2.etcd-client.crt': 'not a cert' });
    try {
      const { exitCode, stdout } = await meshctl(['clustermesh', 'certs', 'list', ...BOTH]);
      expect(exitCode).toBe(1);
      expect(stdout).toMatch(/^mesh-1 +server +not there +- +- +-$/m);
      expect(stdout).toMatch(/^mesh-1 +peer mesh-2 +not readable +- +- +-$/m);
      expect(stdout).toContain(
        '✗ mesh-1: the client certificate cannot be read (Secret cilium-kvstoremesh, key mesh-2.etcd-client.crt)\n' +
          '   → meshctl clustermesh connect --context mesh-1 --destination-context mesh-2\n',
      );
      expect(stdout).toContain('   → meshctl clustermesh enable --context mesh-1\n');
      const json = await meshctl(['clustermesh', 'certs', 'list', '--context', 'mesh-1', '-o', 'json']);
      expect(json.exitCode).toBe(1);
      const { faults } = jsonOf(json) as { faults?: { id: string; role: string }[] };
      expect(faults?.map(({ id, role }) => `${role} ${id}`).sort()).toEqual([
        'peer peer-certificate-unreadable',
        'server certificate-missing',
      ]);
    } finally {
      one.store.create(server);
      one.store.update(refs.secret('cilium-kvstoremesh'), (secret) => Object.assign(secret, { data: peers }));
    }
  });
});

describe('a cluster whose Secret of peers is gone', () => {
  it('is told of with the context of its peer, whoever looks', async () => {
    const one = found(sandbox.clusters[0], 'mesh-1');
    const ref = refs.secret('cilium-kvstoremesh');
    const secret = found(one.store.get(ref), ref.name);
    one.store.delete(ref);
    const mend = 'meshctl clustermesh connect --context mesh-1 --destination-context mesh-2';
    const list = await meshctl(['clustermesh', 'certs', 'list', '--context', 'mesh-1']);
    expect(list).toMatchObject({ exitCode: 1, stdout: expect.stringContaining(mend) });
    const plan = await meshctl.ok(['clustermesh', 'certs', 'rotate', '--context', 'mesh-1', '--dry-run']);
    expect(plan.stderr).toContain(`the peering files are missing (Secret cilium-kvstoremesh)`);
    expect(plan.stdout).toContain('? peer mesh-2 may be cut off: Secret cilium-kvstoremesh is missing');
    expect(plan.stdout).toContain(`→ ${mend}`);
    const all = await meshctl(['clustermesh', 'certs', 'rotate', '--ca', '--context', 'mesh-1', '--dry-run']);
    expect(all.stderr).toContain('meshctl clustermesh certs rotate --context mesh-1,mesh-2 --ca');
    one.store.create({ ...secret, metadata: { name: ref.name, namespace: 'kube-system' } });
  });
});

describe('the text of a rotation of CAs', () => {
  it('tells each phase from what the one before has left, and counts objects once', async () => {
    // What was put back above is not meshctl's own any more.
    const { stdout } = await meshctl.ok([
      ...['clustermesh', 'certs', 'rotate', ...BOTH, '--ca', '--force-conflicts', '--dry-run'],
    ]);
    expect(stdout).toMatch(/meshctl\.io\/ca: [0-9a-f,]+ → those of both CAs/);
    expect(stdout).toContain('meshctl.io/ca: those of both CAs → that of the new CA');
    expect(stdout).toMatch(
      /Secret kube-system\/cilium-clustermesh [^\n]*taken out[^\n]*\n +data\.mesh-\d: the file with the comment/,
    );
    expect(stdout).toMatch(/Plan: \d+ writes to \d+ objects\./);
  });
});
