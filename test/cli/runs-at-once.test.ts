import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyLeaseRef } from '../../src/mesh/objects/names.ts';
import { markedRuns } from '../../src/mesh/working-runs.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { briskClock, NEVER_BACK } from '../support/brisk-clock.ts';
import type { CliOptions, CliResult } from '../support/cli.ts';
import { type ConnectClusters, type SeenRequest, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { meshText } from '../support/mesh-files.ts';
import { found, refs } from '../support/sandbox-mesh.ts';

/** Two runs of two operators: the second comes between what the first has read and what it writes. */
let clusters: ConnectClusters;

beforeEach(async () => {
  clusters = await startConnectClusters(3);
});
afterEach(() => clusters?.close());

const secretOf = (index: number, name: string) =>
  found(clusters.clusters[index], `cluster ${index}`).store.get(refs.secret(name))?.data as
    | Record<string, string>
    | undefined;
const decoded = (text = ''): Buffer => Buffer.from(text, 'base64');
const certificate = () => new X509Certificate(decoded(secretOf(0, 'clustermesh-apiserver-server-cert')?.['tls.crt']));
const dial = (from: string, address: string, options: CliOptions = {}) =>
  clusters.meshctl(connect(from, 'mesh-1', '--destination-endpoint', `mesh-1=${address}:2379`, '--yes'), options);

/** Has another run come to its end before a request of the first is served, and gives its result. */
function beforeThe(
  isIt: (request: SeenRequest) => boolean,
  run: () => Promise<CliResult>,
): () => CliResult | undefined {
  let result: CliResult | undefined;
  let begun = false;
  clusters.fault = async (request) => {
    if (begun || !isIt(request)) return undefined;
    begun = true;
    result = await run();
    return undefined;
  };
  return () => result;
}

it('no run writes over the certificate that another one has issued since', async () => {
  const other = beforeThe(
    ({ context, verb, name }) =>
      context === 'mesh-1' && verb === 'patch' && name === 'clustermesh-apiserver-server-cert',
    () => dial('mesh-2', '203.0.113.2'),
  );
  const first = await dial('mesh-3', '203.0.113.3');
  expect(other()?.exitCode, other()?.stderr).toBe(0);
  expect(first).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('run the same command again') });
  expect(certificate().checkIP('203.0.113.2')).toBeDefined();
  // As it says.
  expect((await dial('mesh-3', '203.0.113.3')).exitCode).toBe(0);
  for (const address of ['203.0.113.2', '203.0.113.3']) expect(certificate().checkIP(address)).toBeDefined();
});

const enabling = (...more: string[]) => clusters.meshctl(['clustermesh', 'enable', '--context', 'mesh-1', ...more]);
const beforeDeployment = ({ context, verb, resource }: SeenRequest) =>
  context === 'mesh-1' && verb === 'patch' && resource === 'deployments';
const containers = () => {
  const { spec } = found(clusters.clusters[0]?.store.get(refs.deployment('clustermesh-apiserver')), 'the Deployment');
  const { template } = spec as { template: { spec: { containers: { name: string }[] } } };
  return template.spec.containers.map(({ name }) => name);
};

it('an enable or apply does not take back the KVStoreMesh that another run has switched on since, nor what it stands on', async () => {
  expect((await enabling('--enable-kvstoremesh=false')).exitCode).toBe(0);
  expect((await clusters.meshctl(connect('mesh-1', 'mesh-2'))).exitCode).toBe(0);
  const other = beforeThe(beforeDeployment, () => enabling('--enable-kvstoremesh'));
  const text = meshText({
    clusters: [{ name: 'mesh-1', enable: { replicas: 2 } }, { name: 'mesh-2' }],
    topology: { type: 'mesh' },
  });
  const applied = await clusters.meshctl(['apply', '-f', '-', '--yes'], { input: text });
  expect(other()?.exitCode, other()?.stderr).toBe(0);
  expect(applied).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('in use by another run') });
  const back = beforeThe(beforeDeployment, () => enabling('--enable-kvstoremesh=false'));
  const first = await enabling('--replicas', '2');
  expect(back()?.exitCode, back()?.stderr).toBe(0);
  expect(first).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('→ Run the same command again.') });
  expect(containers()).not.toContain('kvstoremesh');
  expect((await enabling('--replicas', '2')).exitCode).toBe(0);
  expect(secretOf(0, 'clustermesh-apiserver-server-cert')).toBeDefined();
});

it('an enable does not open to all what another run has closed since', async () => {
  const other = beforeThe(
    ({ context, verb, resource }) => context === 'mesh-1' && verb === 'patch' && resource === 'services',
    () => enabling('--load-balancer-source-ranges', '172.18.0.0/16', '--yes'),
  );
  const first = await enabling('--service-annotation', 'example.com/team=net', '--yes');
  expect(other()?.exitCode, other()?.stderr).toBe(0);
  expect(first).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('was changed by someone else meanwhile'),
  });
  const service = clusters.clusters[0]?.store.get(refs.service('clustermesh-apiserver'));
  expect(service?.spec).toMatchObject({ loadBalancerSourceRanges: ['172.18.0.0/16'] });
});

it('an enable does not mark pods by CAs that another run has replaced beside the certificate since', async () => {
  const [cluster] = clusters.clusters;
  const ref = refs.secret('clustermesh-apiserver-server-cert');
  const before = () => cluster?.store.get(refs.deployment('clustermesh-apiserver'))?.metadata.generation;
  const was = before();
  // As the first phase of a rotation does, before pods are replaced.
  const { 'ca.crt': other } = (clusters.clusters[1]?.store.get(ref)?.data ?? {}) as Record<string, string>;
  let reads = Number.NaN;
  clusters.fault = async ({ context, verb, name, resource }) => {
    if (context !== 'mesh-1') return undefined;
    // What it has noted at the Service has it read the cluster once more; then comes the Deployment.
    if (verb === 'patch' && resource === 'services') reads = 0;
    if (verb !== 'get' || name !== 'clustermesh-apiserver-server-cert' || ++reads !== 2) return undefined;
    cluster?.store.update(ref, (live) => {
      const data = live.data as Record<string, string>;
      live.data = { ...data, 'ca.crt': Buffer.concat([data['ca.crt'], other].map(decoded)).toString('base64') };
    });
    return undefined;
  };
  const { exitCode, stderr } = await enabling('--replicas', '2');
  expect(exitCode, stderr).toBe(1);
  expect(stderr).toMatch(
    /Secret kube-system\/clustermesh-apiserver-server-cert was changed by someone else\s+meanwhile/,
  );
  expect(before()).toBe(was);
  expect((await enabling('--replicas', '2')).exitCode).toBe(0);
});

it.each<[string, string[]]>([
  ['nobody', []],
  // Then neither run lets anybody in who was not let in before.
  ['the two that dial by it', ['mesh-2', 'mesh-3']],
])(
  'a run that fails leaves the name by which another one has begun to dial: connected before is %s',
  async (_who, connected) => {
    for (const name of connected) expect((await clusters.meshctl(connect(name, 'mesh-1'))).exitCode).toBe(0);
    let other: CliResult | undefined;
    clusters.fault = async ({ context, verb, name }) => {
      if (context !== 'mesh-2' || verb !== 'patch' || name !== 'cilium-kvstoremesh') return undefined;
      other ??= await dial('mesh-3', '203.0.113.9');
      return 'drop';
    };
    const first = await dial('mesh-2', '203.0.113.9', { clock: briskClock(NEVER_BACK) });
    expect(other?.exitCode, other?.stderr).toBe(0);
    expect(first.exitCode).not.toBe(0);
    expect(first.stderr).toContain('keeps its new certificate, which is good for more names');
    expect(certificate().checkIP('203.0.113.9')).toBeDefined();
  },
);

it('a run that fails leaves the file that another one has found and kept when it connected the pair', async () => {
  const pair = connect('mesh-1', 'mesh-2');
  let other: CliResult | undefined;
  clusters.fault = async ({ context, verb, name }) => {
    if (context !== 'mesh-2' || verb !== 'patch' || name !== 'cilium-kvstoremesh' || other) return undefined;
    // By now the file of mesh-1 is there.
    await expect.poll(() => secretOf(0, 'cilium-kvstoremesh')?.['mesh-2']).toBeDefined();
    clusters.fault = undefined;
    other = await clusters.meshctl(pair);
    throw new ApiError(422, 'Invalid', 'admission webhook said no');
  };
  const first = await clusters.meshctl(pair);
  expect(other?.exitCode, other?.stderr).toBe(0);
  expect(first.exitCode).toBe(1);
  const status = ['clustermesh', 'status', '--context', 'mesh-1,mesh-2', '--wait'];
  expect((await clusters.meshctl(status)).exitCode).toBe(0);
  const again = await clusters.meshctl([...pair, '--dry-run', '-o', 'json']);
  expect(JSON.parse(again.stdout)).toMatchObject({ summary: { create: 0, update: 0, delete: 0 } });
});

it('a mesh of three that fails at the third leaves the pair that another one has found whole, and counts on', async () => {
  const pair = connect('mesh-1', 'mesh-2');
  const files = () => [secretOf(0, 'cilium-kvstoremesh')?.['mesh-2'], secretOf(1, 'cilium-kvstoremesh')?.['mesh-1']];
  let other: CliResult | undefined;
  clusters.fault = async ({ context, verb, name }) => {
    if (context !== 'mesh-3' || verb !== 'patch' || name !== 'cilium-kvstoremesh' || other) return undefined;
    await expect.poll(files).toEqual([expect.any(String), expect.any(String)]);
    clusters.fault = undefined;
    other = await clusters.meshctl([...pair, '-o', 'json']);
    throw new ApiError(422, 'Invalid', 'admission webhook said no');
  };
  const first = await clusters.meshctl(connect('mesh-1', 'mesh-2,mesh-3', '--connection-mode', 'mesh'));
  expect(other?.exitCode, other?.stderr).toBe(0);
  const { steps } = JSON.parse(other?.stdout ?? '') as { steps: { action: string }[] };
  expect(new Set(steps.map(({ action }) => action))).toEqual(new Set(['keep']));
  expect(first.exitCode, first.stderr).toBe(1);
  expect(files()).toEqual([expect.any(String), expect.any(String)]);
  const status = ['clustermesh', 'status', '--context', 'mesh-1,mesh-2', '--wait'];
  expect((await clusters.meshctl(status)).exitCode).toBe(0);
  // Of the third nothing is left.
  expect([0, 1].map((index) => secretOf(index, 'cilium-kvstoremesh')?.['mesh-3'])).toEqual([undefined, undefined]);
  expect(secretOf(2, 'cilium-kvstoremesh') ?? {}).toEqual({});
  expect(clusters.clusters.map(({ store }) => store.get(applyLeaseRef('kube-system')))).toEqual([
    ...[undefined, undefined, undefined],
  ]);
});

it('a peer that is connected while KVStoreMesh is switched off keeps its file', async () => {
  expect((await clusters.meshctl(connect('mesh-1', 'mesh-2'))).exitCode).toBe(0);
  const wait = ['clustermesh', 'status', '--context', 'mesh-1,mesh-2', '--wait'];
  expect((await clusters.meshctl(wait)).exitCode).toBe(0);
  const other = beforeThe(
    ({ context, verb, resource }) => context === 'mesh-1' && verb === 'patch' && resource === 'deployments',
    () => clusters.meshctl(connect('mesh-1', 'mesh-3')),
  );
  const off = ['clustermesh', 'enable', '--context', 'mesh-1', '--enable-kvstoremesh=false'];
  const first = await clusters.meshctl(off);
  expect(other()?.exitCode, other()?.stderr).toBe(0);
  expect(first.exitCode, first.stdout + first.stderr).not.toBe(0);
  expect(secretOf(0, 'cilium-kvstoremesh')).toHaveProperty('mesh-3');
  expect((await clusters.meshctl(off)).exitCode).toBe(0);
  expect(decoded(secretOf(0, 'cilium-clustermesh')?.['mesh-3']).toString()).toContain('172.18.3.100');
});

it.each<[was: string, peers: string[]]>([
  ['nobody', []],
  ['another one', ['mesh-2']],
])(
  'a peer that is connected while KVStoreMesh is switched on is told of, with what moves it too; before it was %s',
  async (_was, peers) => {
    const kvstoremesh = (isOn: boolean) => [
      'clustermesh',
      'enable',
      '--context',
      'mesh-1',
      `--enable-kvstoremesh=${isOn}`,
    ];
    const ok = (argv: string[]) => clusters.meshctl.ok(argv);
    await ok(kvstoremesh(false));
    for (const peer of peers) await ok(connect('mesh-1', peer));
    const connected = (...names: string[]) => ok(['clustermesh', 'status', '--context', names.join(), '--wait']);
    if (peers.length > 0) await connected('mesh-1', ...peers);
    const other = beforeThe(
      ({ context, verb, resource }) => context === 'mesh-1' && verb === 'patch' && resource === 'deployments',
      () => clusters.meshctl(connect('mesh-1', 'mesh-3')),
    );
    const { stderr } = await ok(kvstoremesh(true));
    expect(other()?.exitCode, other()?.stderr).toBe(0);
    const [, line = ''] = /mesh-3 was connected meanwhile, [\s\S]*? meshctl (.*)/.exec(stderr) ?? [];
    expect(secretOf(0, 'cilium-kvstoremesh') ?? {}).not.toHaveProperty('mesh-3');
    await ok(line.split(' '));
    expect(secretOf(0, 'cilium-kvstoremesh')).toHaveProperty('mesh-3');
    expect(decoded(secretOf(0, 'cilium-clustermesh')?.['mesh-3']).toString()).not.toContain('172.18.3.100');
    await connected('mesh-1', 'mesh-3', ...peers);
    expect((await ok(kvstoremesh(true))).stderr).not.toContain('meanwhile');
  },
);

it('a connect that ends after KVStoreMesh was switched on says so, with what moves the peer', async () => {
  const kvstoremesh = (isOn: boolean) =>
    clusters.meshctl(['clustermesh', 'enable', '--context', 'mesh-1', `--enable-kvstoremesh=${isOn}`]);
  expect((await kvstoremesh(false)).exitCode).toBe(0);
  const other = beforeThe(
    ({ context, verb, name }) => context === 'mesh-1' && verb !== 'get' && name === 'cilium-clustermesh',
    () => kvstoremesh(true),
  );
  const { exitCode, stderr } = await clusters.meshctl(connect('mesh-1', 'mesh-3'));
  expect(other()?.exitCode, other()?.stderr).toBe(0);
  expect(exitCode, stderr).toBe(0);
  expect(stderr).toMatch(
    /mesh-3 was connected meanwhile, [\s\S]*connect --context mesh-1 --destination-context mesh-3/,
  );
  expect((await clusters.meshctl(connect('mesh-1', 'mesh-3'))).exitCode).toBe(0);
  expect(Object.keys(secretOf(0, 'cilium-clustermesh') ?? {})).toEqual(['mesh-3']);
});

it('a connect whose Secret another run has taken away says what to do', async () => {
  beforeThe(
    ({ context, verb, name }) => context === 'mesh-1' && verb !== 'get' && name === 'cilium-kvstoremesh',
    () => clusters.meshctl(['clustermesh', 'enable', '--context', 'mesh-1', '--enable-kvstoremesh=false']),
  );
  const { exitCode, stderr } = await clusters.meshctl(connect('mesh-1', 'mesh-2'));
  expect(exitCode, stderr).toBe(1);
  expect(stderr).toMatch(
    /cilium-kvstoremesh is gone: someone else has removed it since it was read\n? *→ Run the same command again/,
  );
});

it.each([
  ['were', true],
  ['were not', false],
])('a disconnect that is rolled back says whose certificates %s renewed meanwhile', async (_what, renewed) => {
  expect((await clusters.meshctl(connect('mesh-1', 'mesh-2'))).exitCode).toBe(0);
  const parting = ['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
  let other: CliResult | undefined;
  clusters.fault = async ({ context, verb, name }) => {
    if (context !== 'mesh-2' || verb !== 'patch' || name !== 'clustermesh-remote-users') return undefined;
    clusters.fault = undefined;
    // By now mesh-1 does not dial any more.
    await expect.poll(() => secretOf(0, 'cilium-kvstoremesh')?.['mesh-2']).toBeUndefined();
    if (renewed) other = await clusters.meshctl(['clustermesh', 'certs', 'rotate', '--context', 'mesh-2']);
    throw new ApiError(422, 'Invalid', 'admission webhook said no');
  };
  const { exitCode, stderr } = await clusters.meshctl(parting);
  expect(exitCode, stderr).toBe(1);
  if (renewed) expect(other?.exitCode, other?.stderr).toBe(0);
  const says = stderr.replaceAll(/\s+/g, ' ');
  const warning =
    'context "mesh-1": the certificates of mesh-2 were renewed meanwhile, and those that were restored for dialling may not be accepted any more → meshctl clustermesh connect --context mesh-1 --destination-context mesh-2';
  expect(says.includes(warning), stderr).toBe(renewed);
});

describe('what a disconnect has taken out, and another one has found gone,', () => {
  const others = ['mesh-2', 'mesh-3'];
  const parting = (...from: string[]) =>
    clusters.meshctl([
      ...['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', from.join(), '--yes'],
    ]);
  const refusal = () => new ApiError(422, 'Invalid', 'admission webhook said no');
  const fails = ({ context, verb, name }: SeenRequest) =>
    context === 'mesh-3' && verb === 'patch' && name === 'clustermesh-remote-users';
  const usersOf = (index: number) =>
    JSON.stringify(clusters.clusters[index]?.store.get(refs.configMap('clustermesh-remote-users'))?.data);
  const isParted = () => [secretOf(0, 'cilium-kvstoremesh')?.['mesh-2'], secretOf(1, 'cilium-kvstoremesh')?.['mesh-1']];
  const gone = () =>
    expect.poll(() => [...isParted(), usersOf(1).includes('mesh-1')]).toEqual([undefined, undefined, false]);

  beforeEach(async () => {
    for (const name of others) expect((await clusters.meshctl(connect('mesh-1', name))).exitCode).toBe(0);
  });
  afterEach(() => {
    const leases = clusters.clusters.map(({ store }) => store.get(applyLeaseRef('kube-system')));
    expect(leases).toEqual([undefined, undefined, undefined]);
  });

  it('stays so when the first one fails', async () => {
    let other: CliResult | undefined;
    clusters.fault = async (request) => {
      if (!fails(request)) return undefined;
      await gone();
      other ??= await parting('mesh-2');
      throw refusal();
    };
    const first = await parting(...others);
    expect(other?.exitCode, other?.stderr).toBe(0);
    expect(first.exitCode, first.stderr).toBe(1);
    expect(first.stderr.replaceAll(/\s+/g, ' ')).toMatch(
      /mesh-2.* \(left as it is, because another run, on \S+, has found there meanwhile what is wanted, and counts on it\)/,
    );
    await gone();
    expect(secretOf(2, 'cilium-kvstoremesh')?.['mesh-1']).toBeDefined();
  });

  it('is not called gone while it is being put back', async () => {
    let other: CliResult | undefined;
    clusters.fault = async (request) => {
      const { context, verb, name } = request;
      if (fails(request)) {
        await gone();
        throw refusal();
      }
      // What the first one puts back; it is still gone.
      const isBack = context === 'mesh-2' && verb === 'patch' && name === 'clustermesh-remote-users';
      if (!isBack || other || usersOf(1).includes('mesh-1')) return undefined;
      other = { exitCode: -1, stdout: '', stderr: '' };
      other = await parting('mesh-2');
      return undefined;
    };
    const first = await parting(...others);
    expect(first.exitCode, first.stderr).toBe(1);
    expect(other, first.stderr).toMatchObject({ exitCode: 1 });
    expect(other?.stderr).toMatch(/another run, disconnect on \S+, has failed and takes back what it has made there/);
    expect(isParted()).toEqual([expect.any(String), expect.any(String)]);
  });
});

describe('who finds what another run is about to change the other way', () => {
  const pair = connect('mesh-1', 'mesh-2');
  const parting = ['clustermesh', 'disconnect', '--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
  const file = { clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }], topology: { type: 'mesh' as const } };
  const files = () => [secretOf(0, 'cilium-kvstoremesh')?.['mesh-2'], secretOf(1, 'cilium-kvstoremesh')?.['mesh-1']];
  const isMarked = () =>
    [0, 1].every((index) => clusters.clusters[index]?.store.get(applyLeaseRef('kube-system')) !== undefined);

  /** The other one comes once the first has said that it is at work, and before it has written anything. */
  async function failsAfter(first: () => Promise<CliResult>, other: () => Promise<CliResult>): Promise<CliResult[]> {
    let second: Promise<CliResult> | undefined;
    clusters.fault = async ({ verb, name, context, resource }) => {
      if (!['patch', 'create'].includes(verb) || resource === 'leases' || !isMarked()) return undefined;
      second ??= other();
      await second;
      if (context === 'mesh-2' && name === 'clustermesh-remote-users')
        throw new ApiError(422, 'Invalid', 'admission webhook said no');
      return undefined;
    };
    const failed = await first();
    clusters.fault = undefined;
    return [failed, await found(second, 'the other run')];
  }

  it('does not have its rollback spared: a connect that meets a disconnect', async () => {
    await clusters.meshctl.ok(pair);
    const before = files();
    const [first, other] = await failsAfter(
      () => clusters.meshctl(parting),
      () => clusters.meshctl(pair),
    );
    expect(other).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Nothing to change') });
    expect(other?.stderr.replaceAll(/\s+/g, ' ')).toMatch(
      /"mesh-1": another run, disconnect on \S+, is at work there, and may take away what is wanted here → Wait until/,
    );
    expect(first?.exitCode, first?.stderr).toBe(1);
    expect(first?.stderr).not.toContain('counts on it');
    expect(files()).toEqual(before);
  });

  it('does not have its rollback spared: a disconnect that meets an apply', async () => {
    const [first, other] = await failsAfter(
      () => clusters.meshctl(['apply', '-f', '-', '--yes'], { input: meshText(file) }),
      () => clusters.meshctl(parting),
    );
    expect(other).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Nothing to do') });
    expect(other?.stderr).toContain('may bring what is not wanted here');
    expect(first?.exitCode, first?.stderr).toBe(1);
    expect(first?.stderr).not.toContain('counts on it');
    expect(files()).toEqual([undefined, undefined]);
  });
});

it('a disable that is at work is named by the plan of what enables or connects its cluster, and by no other', async () => {
  await clusters.meshctl.ok(connect('mesh-1', 'mesh-2'));
  const file = { clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }], topology: { type: 'mesh' as const } };
  const plans = {
    connect: connect('mesh-1', 'mesh-2', '--dry-run'),
    enable: ['clustermesh', 'enable', '--context', 'mesh-1', '--dry-run'],
    apply: ['apply', '-f', '-', '--dry-run'],
    'connect of its peer with others': connect('mesh-2', 'mesh-3', '--dry-run'),
  };
  const told: Record<string, string[]> = {};
  clusters.fault = async ({ verb, name, dryRun }) => {
    const isParting = !dryRun && verb === 'patch' && name === 'clustermesh-remote-users';
    if (Object.keys(told).length > 0 || !isParting) return undefined;
    for (const [plan, argv] of Object.entries(plans)) {
      told[plan] = [];
      const { stderr } = await clusters.meshctl(argv, { input: meshText(file) });
      told[plan] = stderr.replaceAll(/\s+/g, ' ').match(/"?mesh-\d"?: another run, disable on \S+, is at work/g) ?? [];
    }
    return undefined;
  };
  await clusters.meshctl.ok(['clustermesh', 'disable', '--context', 'mesh-1', '--disconnect', '--yes']);
  const once = (words: string) => [expect.stringContaining(words)];
  expect(told).toEqual({
    connect: once('mesh-1'),
    enable: once('mesh-1'),
    apply: once('mesh-1'),
    'connect of its peer with others': [],
  });
});

it('a disable that is cut off once it has parted its cluster is named by status until it is run again', async () => {
  expect((await clusters.meshctl(connect('mesh-1', 'mesh-2'))).exitCode).toBe(0);
  const ofStatus = ['clustermesh', 'status', '--context', 'mesh-1', '-o', 'json'];
  const runsIn = async () => (JSON.parse((await clusters.meshctl(ofStatus)).stdout) as { runs?: unknown }).runs;
  const disable = () => clusters.meshctl(['clustermesh', 'disable', '--context', 'mesh-1', '--disconnect', '--yes']);
  let isCut = false;
  let told: string | undefined;
  clusters.fault = async ({ context, verb, resource, name }) => {
    const marked = clusters.clusters.filter(({ store }) => store.get(applyLeaseRef('kube-system')) !== undefined);
    if (told === undefined && marked.length === 2 && verb === 'patch' && name === 'clustermesh-remote-users') {
      told = '';
      told = (await clusters.meshctl(['clustermesh', 'status', '--context', 'mesh-1,mesh-2'])).stdout;
    }
    // What it asks an API server about before it begins is let.
    const isParted = secretOf(1, 'cilium-kvstoremesh')?.['mesh-1'] === undefined;
    isCut ||= isParted && context === 'mesh-1' && resource === 'deployments' && verb === 'delete';
    if (isCut) throw new ApiError(403, 'Forbidden', 'not now');
    return undefined;
  };
  expect((await disable()).exitCode).not.toBe(0);
  clusters.fault = undefined;
  expect(secretOf(1, 'cilium-kvstoremesh')?.['mesh-1']).toBeUndefined();
  expect(await runsIn()).toEqual([expect.objectContaining({ command: 'disable', doing: 'Disabling mesh-1' })]);
  // While it parted them, it was one run, in both.
  expect(told?.match(/another run, disable/g), told).toHaveLength(1);
  // Its peer is to read whose disable it is.
  expect(told).toMatch(/mesh-1, mesh-2: another run, disable on .+ \(disabling mesh-1\)/);
  expect((await disable()).exitCode).toBe(0);
  // The process of the one that was cut off is alive here: nobody takes its mark away.
  const marks = clusters.clusters.map(({ store }) => markedRuns(store.get(applyLeaseRef('kube-system'))).length);
  expect(marks).toEqual([1, 0, 0]);
});
