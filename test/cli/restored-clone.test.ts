import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { restoreInto } from '../support/cloned-cluster.ts';
import { type ConnectClusters, startBareClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { kubeconfigWithout } from '../support/e2e-kubeconfig.ts';
import { meshText } from '../support/mesh-files.ts';
import { isLook, type PrintedCommand, printedCommands } from '../support/printed-commands.ts';
import { clusterAt, found, refs } from '../support/sandbox-mesh.ts';

/** The cluster `mesh-1`, its peer `mesh-2`, and `restored`: a backup of mesh-1 in another cluster, beside it. */
let clusters: ConnectClusters;

const mesh = (...argv: string[]) => ['clustermesh', ...argv];

beforeAll(async () => {
  clusters = await startRestored();
});
afterAll(() => clusters?.close());

/** @param enabling words for enable */
async function startRestored(...enabling: string[]): Promise<ConnectClusters> {
  const started = await startBareClusters(0, {
    clusters: [
      { name: 'mesh-1', context: 'mesh-1', id: 1 },
      { name: 'mesh-2', context: 'mesh-2', id: 2 },
      { name: 'mesh-1', context: 'restored', id: 1 },
    ],
  });
  for (const argv of [mesh('enable', '--context', 'mesh-1,mesh-2', ...enabling), connect('mesh-1', 'mesh-2')]) {
    const { exitCode, stderr } = await started.meshctl(argv);
    expect(exitCode, stderr).toBe(0);
  }
  restoreInto(clusterAt(started, 'restored'), clusterAt(started, 'mesh-1'));
  // The dials that are there, the clone's too.
  const { exitCode, stdout } = await started.meshctl(mesh('status', '--context', 'restored', '--wait'));
  expect(exitCode, stdout).toBe(0);
  return started;
}

/** What holds the living cluster and its peer together, on both sides. */
const links = () =>
  ['mesh-1', 'mesh-2'].map((context) => {
    const { store } = clusterAt(clusters, context);
    return [
      refs.secret('cilium-clustermesh'),
      refs.secret('cilium-kvstoremesh'),
      refs.configMap('clustermesh-remote-users'),
      refs.secret('cilium-ca'),
    ].map((ref) => found(store.get(ref), ref.name).data);
  });

interface PlannedClusters {
  clusters: {
    context: string;
    steps: { action: string; object: { name: string } }[];
    peers?: { peer: string; becomes: string; why?: string }[];
  }[];
}

/** Whether a plan touches what mesh-2 has for the name of the two, or what the living one has. */
const touched = ({ clusters: planned }: PlannedClusters) =>
  planned.filter(
    ({ context, steps }) =>
      context !== 'restored' &&
      steps.some(
        ({ action, object }) =>
          action !== 'keep' && /^(cilium-clustermesh|cilium-kvstoremesh|clustermesh-remote-users)$/.test(object.name),
      ),
  );

const planOf = async (argv: readonly string[], input?: string) => {
  const result = await clusters.meshctl([...argv, '--dry-run', '-o', 'json'], input === undefined ? {} : { input });
  return result.exitCode === 2 ? undefined : (jsonOf(result) as unknown as PlannedClusters);
};

const FILE = meshText({
  clusters: [
    { name: 'mesh-1', context: 'restored' },
    { name: 'mesh-2', context: 'mesh-2' },
  ],
  topology: { type: 'mesh' },
} as never);

/** Every command that writes, about the clone. */
const WRITING: readonly (readonly [argv: readonly string[], input?: string])[] = [
  [mesh('connect', '--context', 'restored', '--destination-context', 'mesh-2')],
  [mesh('connect', '--context', 'mesh-2', '--destination-context', 'restored', '--connection-mode', 'unicast')],
  [mesh('disconnect', '--context', 'restored', '--destination-context', 'mesh-2')],
  [mesh('disconnect', '--context', 'mesh-2', '--destination-context', 'restored', '--connection-mode', 'unicast')],
  [mesh('disconnect', '--context', 'restored', '--peer', 'mesh-2')],
  [mesh('disconnect', '--context', 'restored', '--all')],
  [mesh('disable', '--context', 'restored')],
  [mesh('disable', '--context', 'restored', '--disconnect')],
  [mesh('enable', '--context', 'restored')],
  [mesh('enable', '--context', 'restored', '--replicas', '2')],
  [mesh('certs', 'rotate', '--ca', '--context', 'restored,mesh-2')],
  [mesh('certs', 'rotate', '--context', 'mesh-2,restored')],
  [mesh('certs', 'rotate', '--ca', '--context', 'restored')],
  [mesh('certs', 'rotate', '--ca', '--all')],
  [['apply', '-f', '-'], FILE],
  [['apply', '-f', '-', '--prune'], FILE],
];
const named = WRITING.map(([argv, input]) => [argv.join(' '), argv, input] as const);

/** By contexts: the faults that status tells. */
const VERDICTS: readonly (readonly [contexts: string, ids: readonly string[]])[] = [
  ['mesh-1,mesh-2,restored', ['cluster-name-unique']],
  ['mesh-1,restored', ['cluster-name-unique']],
  ['mesh-2,restored', ['peer-address-gone']],
  ['mesh-1,mesh-2', []],
];

async function expectVerdict(of: ConnectClusters, contexts: string, ids: readonly string[]): Promise<void> {
  const status = await of.meshctl(mesh('status', '--context', contexts, '-o', 'json'));
  const report = jsonOf(status) as unknown as { healthy: boolean; clusters: { faults: { id: string }[] }[] };
  const told = new Set(report.clusters.flatMap(({ faults }) => faults.map(({ id }) => id)));
  expect([status.exitCode, report.healthy, [...told]]).toEqual([ids.length > 0 ? 1 : 0, ids.length === 0, ids]);
  const check = await of.meshctl(mesh('check', '--context', contexts, '--category', 'identity,peers'));
  expect(check.exitCode).toBe(status.exitCode);
}

describe('a restored backup beside the cluster that it is of', () => {
  it.each(named)('is not the one that is dialled: %s', async (_line, argv, input) => {
    const before = links();
    // Each step that touches the peer names the context of the living one as cut.
    const plan = await planOf(argv, input);
    for (const { peers = [] } of plan ? touched(plan) : []) {
      const cut = peers.filter(({ peer, becomes }) => peer === 'mesh-1' && becomes === 'cut');
      expect(cut.map(({ why }) => why)).toEqual([expect.stringContaining('context "mesh-1"')]);
      const { exitCode, stderr } = await clusters.meshctl(argv, input === undefined ? {} : { input });
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining('confirmation needed')]);
    }
    expect(links()).toEqual(before);
  });

  it('is told by who answers at the former address, where no context leads to the living one', async () => {
    const before = links();
    const kubeconfig = ['--kubeconfig', await kubeconfigWithout(clusters.kubeconfigPath, 'mesh-1')];
    const asked = [
      [mesh('connect', '--context', 'restored', '--destination-context', 'mesh-2')],
      [['apply', '-f', '-'], FILE],
    ] as const;
    for (const [argv, input] of asked) {
      const { exitCode, stderr } = await clusters.meshctl([...argv, ...kubeconfig], input ? { input } : {});
      const cut =
        'the mesh-1 that context "mesh-2" dials is cut off if it is another cluster than that of context "restored"';
      expect([exitCode, stderr]).toEqual([2, expect.stringContaining(cut)]);
    }
    const rotated = await clusters.meshctl(
      mesh('certs', 'rotate', '--ca', '--context', 'restored,mesh-2', ...kubeconfig),
    );
    const says = /of mesh-1, a peer of context "mesh-2", one of its name and certificate answers at 172.18.1.100:2379/;
    expect([rotated.exitCode, rotated.stderr]).toEqual([2, expect.stringMatching(says)]);
    expect(links()).toEqual(before);
  });

  it.each(VERDICTS)('is not well in status, where check says so: %s', async (contexts, ids) => {
    await expectVerdict(clusters, contexts, ids);
  });

  it('is told apart by all that is printed: no command that is named parts the living one from its peer', async () => {
    const before = links();
    const looks = [
      mesh('status', '--context', 'mesh-1,mesh-2,restored'),
      mesh('status', '--context', 'mesh-2,restored'),
      mesh('check', '--context', 'mesh-1,mesh-2,restored'),
      mesh('check', '--context', 'mesh-2,restored'),
      mesh('check', '--context', 'restored'),
      mesh('certs', 'list', '--context', 'mesh-2,restored'),
    ];
    const printed: PrintedCommand[] = [];
    for (const argv of looks) printed.push(...printedCommands(await clusters.meshctl(argv)));
    for (const [argv, input] of WRITING) {
      const result = await clusters.meshctl([...argv, '--dry-run'], input === undefined ? {} : { input });
      printed.push(...printedCommands(result));
    }
    const mends = [
      ...new Map(
        printed
          .filter((one) => one.program === 'meshctl' && !isLook(one) && !/[<>]/.test(one.argv.join(' ')))
          .map((one) => [one.argv.join(' '), one.argv]),
      ).values(),
    ];
    expect(mends.length).toBeGreaterThan(0);
    for (const argv of mends) {
      const plan = await planOf(argv.filter((word) => word !== '--yes'));
      const parts = plan ? touched(plan) : [];
      // Of a CA that is rotated with the living cluster, both get the new one.
      const isRotation = argv.includes('rotate') && argv.join(' ').includes('mesh-1');
      expect(isRotation ? [] : parts.map(({ context }) => context), argv.join(' ')).toEqual([]);
    }
    expect(links()).toEqual(before);
  });
});

describe('a restored backup behind a NodePort', () => {
  let behindNodes: ConnectClusters;
  beforeAll(async () => {
    behindNodes = await startRestored('--service-type', 'NodePort');
  });
  afterAll(() => behindNodes?.close());

  it.each(VERDICTS)('is not well in status, where check says so: %s', async (contexts, ids) => {
    await expectVerdict(behindNodes, contexts, ids);
  });
});
