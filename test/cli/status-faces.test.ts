/** What status saw, what it saw to be lost, and what it did not see, is told alike by text, exit status, documents, JUnit and picture. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { refOf } from '../../src/mesh/objects/kube-object.ts';
import { PEER_SECRETS } from '../../src/mesh/peers/peers.ts';
import type { MeshGraph } from '../../src/mesh/status/mesh-graph.ts';
import type { MeshStatusReport } from '../../src/mesh/status/mesh-status.ts';
import { edit, type Undo } from '../support/check-scenarios.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { grantAnn } from '../support/lesser-rights.ts';
import { untilHealthy } from '../support/open-look.ts';
import { printedCommands } from '../support/printed-commands.ts';
import { clusterAt, eventually, found, refs } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

const NAMES = ['mesh-1', 'mesh-2', 'mesh-3'];
const ALL = ['--context', NAMES.join(',')];
const ANN = ['--as', 'ann'];

let clusters: ConnectClusters;
let undo: Undo[] = [];

const ok = (...argv: string[]) => clusters.meshctl.ok(argv);

beforeAll(async () => {
  clusters = await startConnectClusters(3, { clusters: [{ nodes: 2 }, { nodes: 1 }, { nodes: 1 }] });
  await ok(...connect('mesh-1', 'mesh-2,mesh-3', '--connection-mode', 'mesh'));
  await untilHealthy(clusters, NAMES);
});
afterEach(async () => {
  for (const back of undo.reverse()) await back();
  undo = [];
  await untilHealthy(clusters, NAMES);
});
afterAll(() => clusters?.close());

/** mesh-2 forgets mesh-1, which goes on dialling it; it still dials mesh-3. */
async function loseHalf(): Promise<void> {
  for (const name of PEER_SECRETS) {
    undo.push(
      edit(clusterAt(clusters, 'mesh-2'), refs.secret(name), (secret) => {
        const kept = Object.entries(secret.data as object).filter(([key]) => !/^mesh-1(\.|$)/.test(key));
        secret.data = Object.fromEntries(kept);
      }),
    );
  }
  await eventually(
    async () => (await clusters.meshctl(['clustermesh', 'status', '--context', 'mesh-2'])).stdout,
    (text) => !text.includes('mesh-1:'),
    'the agent has forgotten it',
  );
}

/** A node has no agent, as where a quota refuses its pod: nobody is there to be asked. */
function loseAgent(): void {
  const { store } = clusterAt(clusters, 'mesh-1');
  const [pod] = store.list({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace: 'kube-system',
    labels: { 'k8s-app': 'cilium' },
  });
  const ref = refOf(found(pod, 'an agent'));
  const { labels } = found(pod, 'an agent').metadata;
  store.update(ref, (one) => {
    one.metadata.labels = { ...labels, 'k8s-app': 'gone' };
  });
  undo.push(() => {
    store.update(ref, (one) => {
      one.metadata.labels = labels ?? {};
    });
  });
}

/** A user who may read no Secret but that which names the peers, where one is missing that nobody would come back without. */
function hideSecrets(): void {
  grantAnn(clusters.clusters, 'secrets', ['cilium-clustermesh', 'cilium-kvstoremesh']);
  undo.push(() => grantAnn(clusters.clusters, undefined));
}

interface State {
  arrange?: () => unknown;
  flags?: string[];
  exitCode: number;
  headline: RegExp;
  healthy: boolean;
  junit: { failures: number; skipped: number };
  /** Of the picture: edges that are not green, and what is said beside it; absent where it has no such flag. */
  graph?: { lost: string[]; said: RegExp };
}

const STATES: Record<string, State> = {
  'all is well': {
    ...{ exitCode: 0, headline: /^✅ All 4 nodes of 3 clusters are connected to all clusters$/, healthy: true },
    junit: { failures: 0, skipped: 0 },
    graph: { lost: [], said: /^$/ },
  },
  'half of a peering is lost': {
    arrange: loseHalf,
    ...{ exitCode: 1, headline: /^❌ 1 of 3 clusters is not connected to all clusters$/, healthy: false },
    junit: { failures: 1, skipped: 0 },
    graph: { lost: ['mesh-2 → mesh-1: 0/1'], said: /^$/ },
  },
  'not all may be read': {
    arrange: hideSecrets,
    flags: ANN,
    ...{ exitCode: 3, headline: /^⚠️ {2}All 4 nodes .* clusters, as far as that may be read$/, healthy: false },
    // That all may be read, and what hangs on it.
    junit: { failures: 0, skipped: 2 },
    graph: { lost: [], said: /mesh-2: no right to read, so nothing is known of: .*Secret kube-system/ },
  },
  'only some nodes are asked, by choice': {
    flags: ['--sample', '50'],
    ...{ exitCode: 0, headline: /^✅ All 3 nodes .*only a sample of the nodes was asked/, healthy: true },
    junit: { failures: 0, skipped: 3 },
  },
  'a node has no agent': {
    arrange: loseAgent,
    ...{ exitCode: 1, headline: /^❌ 1 of 3 clusters is not connected to all clusters$/, healthy: false },
    junit: { failures: 2, skipped: 0 },
    graph: { lost: ['mesh-1 → mesh-2: 1/2', 'mesh-1 → mesh-3: 1/2'], said: /^$/ },
  },
  'a node has no agent, and only some are asked': {
    arrange: loseAgent,
    flags: ['--sample', '99'],
    ...{ exitCode: 1, headline: /^❌ 1 of 3 clusters is not connected .*only a sample/, healthy: false },
    junit: { failures: 2, skipped: 3 },
  },
};

describe.each(Object.entries(STATES))(
  '%s',
  (_state, { arrange, flags = [], exitCode, headline, healthy, junit, graph }) => {
    it('is told alike by every face', async () => {
      await arrange?.();
      const status = (...more: string[]) => clusters.meshctl(['clustermesh', 'status', ...ALL, ...flags, ...more]);
      const text = await status();
      expect({ exitCode: text.exitCode, line: text.stdout.split('\n')[0] }).toEqual({
        exitCode,
        line: expect.stringMatching(headline),
      });
      const json = await status('-o', 'json');
      const report = jsonOf(json) as unknown as MeshStatusReport;
      requireValid(jsonOf(json));
      expect([json.exitCode, report.healthy, report.clusters.every((one) => one.healthy)]).toEqual([
        exitCode,
        healthy,
        healthy,
      ]);
      const suites = await status('-o', 'junit');
      const [, failures, skipped] = /<testsuites .*failures="(\d+)" skipped="(\d+)"/.exec(suites.stdout) ?? [];
      expect([suites.exitCode, { failures: Number(failures), skipped: Number(skipped) }]).toEqual([exitCode, junit]);
      // Nothing else comes by waiting.
      if (exitCode !== 1) expect((await status('--wait')).exitCode).toBe(exitCode);
      if (!graph) return;
      const drawn = await clusters.meshctl(['clustermesh', 'graph', ...ALL, ...flags, '--quiet']);
      expect(drawn.stderr).toMatch(graph.said);
      const document = await clusters.meshctl(['clustermesh', 'graph', ...ALL, ...flags, '-o', 'json']);
      requireValid(jsonOf(document));
      const { edges, nodes } = jsonOf(document) as unknown as MeshGraph;
      const lost = edges.flatMap(({ from, to, state, label }) => (state === 'ok' ? [] : [`${from} → ${to}: ${label}`]));
      expect([lost, nodes.some(({ unread }) => unread)]).toEqual([graph.lost, exitCode === 3]);
    });
  },
);

it('what gives no answer in time is not called unconnected, and mends by asking as is printed', async () => {
  const hasty = (...more: string[]) =>
    clusters.meshctl(['clustermesh', 'status', ...ALL, '--node-timeout', '1ms', ...more]);
  const text = await hasty();
  expect({ exitCode: text.exitCode, line: text.stdout.split('\n')[0] }).toEqual({
    exitCode: 3,
    line: '⚠️  3 of 3 clusters could not be asked',
  });
  expect(text.stdout).not.toMatch(/✗|not connected/);
  const json = await hasty('-o', 'json');
  const { matrix } = jsonOf(json) as unknown as MeshStatusReport;
  expect(new Set(matrix.map(({ state }) => state))).toEqual(new Set(['self', 'unknown']));
  const [{ argv = [] } = {}, ...more] = printedCommands(text).filter((one) => one.argv.includes('--node-timeout'));
  expect(more).toEqual([]);
  await ok(...argv);
});

it.each([
  ['both ways', 0, /^✅ All 4 nodes of 3 clusters are connected to all clusters$/m],
  ['one-way', 1, /one-way, as chosen: mesh-1 → mesh-2/],
])('half of a peering that is lost is mended %s by what status and check print', async (_how, which, headline) => {
  await loseHalf();
  const look = [
    await clusters.meshctl(['clustermesh', 'status', ...ALL]),
    await clusters.meshctl(['clustermesh', 'check', ...ALL, '--category', 'peers']),
  ];
  const lines = look.map((result) => printedCommands(result).map(({ argv }) => argv));
  expect(look.map(({ exitCode }) => exitCode)).toEqual([1, 1]);
  expect(lines[1]).toEqual(lines[0]?.filter((argv) => argv.includes('connect')));
  await ok(...(lines[1]?.[which] ?? []));
  expect((await ok('clustermesh', 'status', ...ALL, '--wait')).stdout).toMatch(headline);
  // As it was.
  await ok(...connect('mesh-1', 'mesh-2', '--connection-mode', 'bidirectional'));
  undo = [];
});
