/** What is proved to be wrong in the clusters that answer is the exit status, whatever else cannot be seen. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMANDS } from '../../src/commands/registry.ts';
import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';
import { jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import type { Meshctl } from '../support/e2e-cli.ts';
import { kubeconfigWithDown } from '../support/e2e-kubeconfig.ts';
import { meshText } from '../support/mesh-files.ts';
import { untilHealthy } from '../support/open-look.ts';
import { eventually, found, refs, type TestSandbox } from '../support/sandbox-mesh.ts';
import { addService } from '../support/service-clusters.ts';

/** Of a cluster that it cannot read it says so, and fails. */
const ALL_OR_NOTHING: readonly string[] = ['clustermesh inspect-policy-default-local-cluster'];

let sandbox: TestSandbox;
let meshctl: Meshctl;
/** The clusters of the sandbox; the same, and one that is down. */
let two: string;
let down: string;

/** Commands that judge: each finds something wrong in what is broken here. */
const JUDGE: readonly string[] = [
  'clustermesh status --all',
  'clustermesh check --all',
  'clustermesh certs list --all',
  'clustermesh invitations list --all',
  'clustermesh routes --all',
  'clustermesh firewall --all',
  'version --all',
  'connectivity probe --all --nodes 1',
  'connectivity test --all --settle-duration 1s',
];

/** Commands that do not: nothing of a mesh that is broken is a failure of theirs, or only as far as all clusters answer. */
const DO_NOT: Readonly<Record<string, string>> = {
  'clustermesh graph --all': 'a picture shows however the mesh is',
  'service list --all': 'a list',
  'service describe default/web --all': 'what there is of one Service',
  'service failover --all': 'a forecast; the cluster that is down may serve what others lose',
  'export --all': 'the mesh as it is',
  'clustermesh helm-values --all': 'values of clusters as they are',
  'diff -f -': '1 says that all was compared, so that a failure is more than that, as with kubectl',
};

const routing = 'native-bgp';

beforeAll(async () => {
  ({ sandbox, meshctl } = await startConnectedMesh({ nodes: 1, clusters: [{ routing }, { routing }] }));
  for (const { store } of sandbox.clusters) addService(store, 'web', { ready: 1 });
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
  two = sandbox.kubeconfigPath;
  down = await kubeconfigWithDown(two);
});

afterAll(async () => {
  expect(sandbox?.errors).toEqual([]);
  await sandbox?.close();
});

const run = (line: string, kubeconfig: string, ...more: string[]) => {
  const names = kubeconfig === down ? ['mesh-1', 'mesh-2', 'down'] : ['mesh-1', 'mesh-2'];
  const input = meshText({ clusters: names.map((name) => ({ name })), topology: { type: 'mesh' } });
  return meshctl([...line.split(' '), '--kubeconfig', kubeconfig, ...more], { input });
};

describe('every command that reads clusters', () => {
  it('is tried here', () => {
    const tried = [...JUDGE, ...Object.keys(DO_NOT)];
    const writes = ({ options }: (typeof COMMANDS)[number]) =>
      options.some(({ flags }) => /^--(dry-run|yes)/.test(flags));
    const reading = COMMANDS.filter((command) => command.reachesClusters && !writes(command)).map(({ path }) =>
      path.join(' '),
    );
    const several = reading.filter((path) => !ALL_OR_NOTHING.includes(path));
    expect(several.filter((path) => !tried.some((line) => line.startsWith(path)))).toEqual([]);
  });

  // The test with real requests takes its time, so it is only tried where it fails.
  it.each([...JUDGE.slice(0, -1), ...Object.keys(DO_NOT)])(
    'exits 3 where all that answers is well: meshctl %s',
    async (line) => {
      const { exitCode, stdout, stderr } = await run(line, down);
      expect(exitCode, stdout + stderr).toBe(3);
      expect(stdout + stderr).toContain('down');
    },
  );
});

/** Without them no rule for packets to nodes is known. */
function takeNodeAddresses(): () => void {
  const { store } = found(sandbox.clusters[1], 'mesh-2');
  const nodes = store.list({ apiVersion: 'v1', kind: 'Node' });
  const write = (node: KubeObject, addresses: unknown) =>
    store.update(refOf(node), (live) => Object.assign(live, { status: { ...(live.status as object), addresses } }));
  for (const node of nodes) write(node, []);
  return () => {
    for (const node of nodes) write(node, (node.status as { addresses: unknown }).addresses);
  };
}

describe('where something is wrong', () => {
  beforeAll(async () => {
    sandbox.network.cutLink('mesh-1', 'mesh-2');
    sandbox.routers.stopBgp('mesh-1', 'mesh-2');
    await meshctl.ok(['sandbox', 'break', 'drop:mesh-1<>mesh-2:tcp/4240']);
    const { store } = found(sandbox.clusters[1], 'mesh-2');
    store.delete(refs.secret('clustermesh-apiserver-admin-cert'));
    // Agents of it would keep the clusters from being connected at all.
    for (const pod of store.list({ apiVersion: 'v1', kind: 'Pod', labels: { 'k8s-app': 'clustermesh-apiserver' } })) {
      store.update(refOf(pod), ({ spec }) => {
        const { containers } = spec as { containers: { name: string; image: string }[] };
        for (const container of containers)
          if (container.name === 'apiserver') container.image = 'quay.io/cilium/clustermesh-apiserver:v1.17.0';
      });
    }
    store.create({
      ...{ apiVersion: 'v1', kind: 'Secret' },
      metadata: {
        ...{ name: 'meshctl-invitation-0123456789', namespace: 'kube-system' },
        labels: { 'meshctl.io/invitation': 'true' },
      },
    });
    await eventually(
      () => meshctl(['clustermesh', 'status', '--all']),
      ({ exitCode }) => exitCode === 1,
      'the link is cut',
    );
  });

  it.each(JUDGE)('meshctl %s exits 1, also where a cluster is down', async (line) => {
    const undo = line.includes('firewall') ? takeNodeAddresses() : () => undefined;
    if (!line.startsWith('connectivity test')) {
      const whole = await run(line, two);
      expect(whole.exitCode, whole.stdout + whole.stderr).toBe(1);
    }
    const part = await run(line, down, '-o', 'json');
    undo();
    expect(part.exitCode, part.stdout + part.stderr).toBe(1);
    // Which cluster was not seen is told all the same.
    expect(JSON.stringify(jsonOf(part))).toContain('"down"');
  });

  it.each(Object.entries(DO_NOT))('meshctl %s exits 3 where a cluster is down: %s', async (line) => {
    const part = await run(line, down);
    expect(part.exitCode, part.stdout + part.stderr).toBe(3);
  });
});
