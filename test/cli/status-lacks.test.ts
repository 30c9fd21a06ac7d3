import { afterAll, beforeAll, expect, it } from 'vitest';
import { explainableIds } from '../../src/mesh/explain.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectClusters, startBareClusters } from '../support/connect-clusters.ts';
import { refs } from '../support/sandbox-mesh.ts';

/** A cluster that is not called healthy has a reason in its document which `explain` knows. */
let clusters: ConnectClusters;

beforeAll(async () => {
  clusters = await startBareClusters(2);
});

afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

interface Report {
  healthy: boolean;
  reasons?: { id: string; hint?: string }[];
  problems: { class: string }[];
  faults: { id: string }[];
}

const KNOWN = explainableIds().map(({ id }) => id);

async function reasonsSeen(...words: string[]): Promise<string[][]> {
  const document = jsonOf(await clusters.meshctl(['clustermesh', 'status', ...words, '-o', 'json']));
  const reports = (document.kind === 'StatusReport' ? [document] : document.clusters) as unknown as Report[];
  return reports.map(({ healthy, reasons = [], problems, faults }) => {
    const ids = [...reasons.map(({ id }) => id), ...problems.map((one) => one.class), ...faults.map(({ id }) => id)];
    expect(healthy).toBe(false);
    expect(ids.filter((id) => KNOWN.includes(id)).length).toBeGreaterThan(0);
    return reasons.map(({ id, hint = '' }) => `${id}: ${hint}`);
  });
}

it('not enabled, of no peers, without a KVStoreMesh', async () => {
  const [one] = await reasonsSeen('--context', 'mesh-1');
  expect(one).toEqual([expect.stringMatching(/^not-enabled: .*meshctl clustermesh enable --context mesh-1$/)]);
  expect(await clusters.meshctl(['clustermesh', 'enable', '--all'])).toMatchObject({ exitCode: 0 });
  const alone = expect.stringMatching(/^no-peers: .*meshctl clustermesh connect /);
  expect(await reasonsSeen('--all')).toEqual([[alone], [alone]]);
  const connect = ['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2'];
  expect(await clusters.meshctl(connect)).toMatchObject({ exitCode: 0 });
  const { store } = clusters.clusters[0] ?? {};
  store?.update(
    refs.deployment('clustermesh-apiserver'),
    (deployment) => void Object.assign(deployment.spec as object, { replicas: 0 }),
    'kubectl',
  );
  await reasonsSeen('--context', 'mesh-1');
});
