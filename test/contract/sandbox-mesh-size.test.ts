/** Clusters of two sizes: who has another max-connected-clusters than 255 refuses every peer that has not the same. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { jsonOf } from '../support/cli.ts';
import { meshctlWith } from '../support/e2e-cli.ts';
import { agentReports } from '../support/peer-reports.ts';
import {
  enableByHand,
  eventually,
  found,
  peerByHand,
  startTestSandbox,
  type TestSandbox,
} from '../support/sandbox-mesh.ts';

const OPTIONS = { kvstoremesh: false };

let sandbox: TestSandbox;
let large: SandboxCluster;
let usual: SandboxCluster;

beforeAll(async () => {
  sandbox = await startTestSandbox({
    nodes: 1,
    clusters: [{ context: 'large', maxConnectedClusters: 511 }, { context: 'usual' }],
  });
  [large, usual] = ['large', 'usual'].map((name) =>
    found(
      sandbox.clusters.find(({ context }) => context === name),
      name,
    ),
  ) as [SandboxCluster, SandboxCluster];
  const [atLarge, atUsual] = await Promise.all([large, usual].map((cluster) => enableByHand(cluster, OPTIONS)));
  await peerByHand(large, usual, found(atUsual, 'address'), OPTIONS);
  await peerByHand(usual, large, found(atLarge, 'address'), OPTIONS);
});

afterAll(() => sandbox?.close());

it('a cluster of 511 is connected with one of 255, and does not take its state', async () => {
  const reports = () => Promise.all(['large', 'usual'].map((context) => agentReports(sandbox, context)));
  await eventually(
    reports,
    ([one, other]) => one?.[0]?.config !== undefined && other?.[0]?.ready === true,
    'both have connected',
  );
  const [[refusing] = []] = await reports();
  expect(refusing).toMatchObject({ connected: true, config: { retrieved: true } });
  expect(refusing?.ready).not.toBe(true);
});

it('of which the status has the cause: its own clustermesh-apiserver runs with 255, too', async () => {
  const meshctl = meshctlWith(sandbox.kubeconfigPath);
  const { clusters } = jsonOf(await meshctl(['clustermesh', 'status', '--context', 'large,usual', '-o', 'json'])) as {
    clusters: { context: string; problems: { class: string; cause?: { id: string } }[] }[];
  };
  const problems = clusters.find(({ context }) => context === 'large')?.problems ?? [];
  expect(problems.map(({ cause }) => cause?.id)).toEqual(['max-connected-clusters-running']);
});
