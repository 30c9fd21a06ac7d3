import { describe, expect, it } from 'vitest';
import { clustersInUse } from '../../src/flows/file/clusters-in-use.ts';
import type { PreparedMesh } from '../../src/flows/file/prepare-mesh.ts';
import type { Flow } from '../../src/flows/flow.ts';
import type { JournalEntry } from '../../src/kube/apply.ts';
import { type KubeObject, refOf } from '../../src/mesh/objects/kube-object.ts';
import { secretObject, snapshotOf } from '../support/snapshots.ts';

/** A run of apply that has switched KVStoreMesh off in a cluster, and takes its work back. */
const peers = (uid: string): KubeObject => {
  const secret = secretObject('cilium-kvstoremesh', {});
  return { ...secret, metadata: { ...secret.metadata, uid } };
};

async function inUse({ planned, live, written }: { planned?: KubeObject; live?: KubeObject; written?: JournalEntry }) {
  const snapshot = snapshotOf({ context: 'a', live: planned ? [planned] : [] });
  const get = async ({ name }: { name: string }) => (name === live?.metadata.name ? live : undefined);
  const target = { client: { context: 'a', get }, namespace: 'kube-system' };
  const drafts = [{ member: { target }, draft: { snapshot, plan: { steps: [{ action: 'delete' }] } } }];
  const prepared = { members: [{ target }], snapshots: [snapshot], drafts } as unknown as PreparedMesh;
  const flow = { progress: { info: () => {} } } as unknown as Flow;
  const journals = written ? [{ cluster: 'a', entries: [written] }] : [];
  return Object.fromEntries(await clustersInUse(flow, prepared, [], { journals }));
}

const entryOf = (before: KubeObject | undefined, after: KubeObject | undefined, certain = true): JournalEntry => ({
  ...{ ref: refOf(peers('')), before, after, certain },
});
const BY_ANOTHER_RUN = { a: 'left as it is, because it is in use by another run' };

describe('a cluster whose plan failed is left to another run', () => {
  it.each<[what: string, Parameters<typeof inUse>[0], left: boolean]>([
    ['that has done nothing', { planned: peers('1'), live: peers('1') }, false],
    ['that has made anew what this one left alone', { planned: peers('1'), live: peers('2') }, true],
    [
      'that has made anew what this one deleted',
      { planned: peers('1'), live: peers('2'), written: entryOf(peers('1'), undefined) },
      true,
    ],
    [
      'nowhere, where only this one has deleted',
      { planned: peers('1'), written: entryOf(peers('1'), undefined) },
      false,
    ],
    [
      'that has made anew what this one wrote',
      { planned: peers('1'), live: peers('3'), written: entryOf(peers('1'), peers('1')) },
      true,
    ],
    [
      'nowhere, where only this one has made something',
      { live: peers('1'), written: entryOf(undefined, peers('1')) },
      false,
    ],
    [
      'nowhere, by what a deletion without an answer may have left there',
      { planned: peers('1'), live: peers('1'), written: entryOf(peers('1'), undefined, false) },
      false,
    ],
  ])('%s', async (_what, states, left) => {
    expect(await inUse(states)).toEqual(left ? BY_ANOTHER_RUN : {});
  });
});
