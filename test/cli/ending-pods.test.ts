import { afterAll, beforeEach, expect, it } from 'vitest';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { podsOf } from '../support/cluster-pods.ts';
import { type ConnectClusters, startBareClusters } from '../support/connect-clusters.ts';
import { meshText } from '../support/mesh-files.ts';
import { clusterAt } from '../support/sandbox-mesh.ts';

/** A pod that stays in the middle of its end, as one on a node that is cut off does, and serves all the same. */
let clusters: ConnectClusters | undefined;
const HOLDS = 'example.com/held';
const BOTH = meshText({ clusters: [{ name: 'mesh-1' }, { name: 'mesh-2' }], topology: { type: 'mesh' } });
const LESS = meshText({ clusters: [{ name: 'mesh-1' }], topology: { type: 'mesh' } });

const opened = (): ConnectClusters => {
  if (!clusters) throw new Error('no clusters');
  return clusters;
};
const leaving = (): SandboxCluster => clusterAt(opened(), 'mesh-2');

beforeEach(async () => {
  clusters ??= await startBareClusters(2);
  const { exitCode, stderr } = await opened().meshctl(['apply', '-f', '-', '--yes'], { input: BOTH });
  expect(exitCode, stderr).toBe(0);
});
afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

function withFinalizers(finalizers: string[]): string[] {
  return podsOf(leaving(), 'clustermesh-apiserver').map(({ apiVersion, kind, metadata: { namespace, name } }) => {
    leaving().store.update({ apiVersion, kind, namespace, name }, ({ metadata }) => {
      metadata.finalizers = finalizers;
    });
    return name;
  });
}

const DISABLE = ['clustermesh', 'disable', '--context', 'mesh-2', '--disconnect', '--yes', '--wait-duration', '2s'];
const PRUNE = ['apply', '-f', '-', '--prune', '--yes', '--wait-duration', '2s'];

it.each([
  ['disable', { argv: DISABLE, input: '' }],
  ['apply --prune', { argv: PRUNE, input: LESS }],
])(
  '%s that ended while a pod goes on serving says which, and its next run waits for the same',
  async (_name, { argv, input }) => {
    const run = () => opened().meshctl(argv, { input });
    const [pod = 'none'] = withFinalizers([HOLDS]);
    for (const turn of ['first', 'second', 'third']) {
      const { exitCode, stderr } = await run();
      expect(exitCode, `${turn}: ${stderr}`).toBe(1);
      expect(stderr, turn).toContain(
        `pods of kube-system/clustermesh-apiserver are left, which serve as long as they run: ${pod}`,
      );
      expect(stderr, turn).toContain(`on node mesh-2-node-1, held by its finalizer ${HOLDS}`);
      expect(stderr, turn).toContain(`kubectl --context mesh-2 -n kube-system wait --for=delete pod/${pod}`);
      expect(stderr, turn).not.toContain('the next run of the same command disables it');
    }
    withFinalizers([]);
    const last = await run();
    expect(last.exitCode, last.stderr).toBe(0);
  },
);
