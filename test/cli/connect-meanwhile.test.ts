import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type ConnectClusters, type SeenRequest, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { found, refs } from '../support/sandbox-mesh.ts';

/** What a connect was planned with changes in one of the clusters before it is carried out. */
let clusters: ConnectClusters;

const storeOf = (index: number) => found(clusters.clusters[index], `cluster ${index}`).store;
const standing = () =>
  Object.fromEntries(Object.entries(clusters.objects()).filter(([key]) => /(Secret|ConfigMap)\//.test(key)));
const config = refs.configMap('cilium-config');
const service = refs.service('clustermesh-apiserver');

const CHANGES: Readonly<Record<string, (index: number) => unknown>> = {
  'its id': (index) =>
    storeOf(index).update(config, (live) => {
      live.data = { ...(live.data as object), 'cluster-id': '77' };
    }),
  'its CA': (index) =>
    storeOf(index).update(refs.secret('cilium-ca'), (live) => {
      live.data = storeOf(2).get(refs.secret('cilium-ca'))?.data;
    }),
  'its addresses': (index) =>
    storeOf(index).update(service, (live) => {
      const [port] = (live.spec as { ports: { port: number }[] }).ports;
      found(port, 'its port').port = 12379;
    }),
};
/** Gives back what a change has changed. */
const remembered = (index: number) => {
  const all = [config, refs.secret('cilium-ca'), service].map((ref) => found(storeOf(index).get(ref), ref.name));
  return () => {
    for (const { kind, metadata, data, spec } of all) {
      const ref = { apiVersion: 'v1', kind, namespace: metadata.namespace, name: metadata.name };
      storeOf(index).update(ref, (live) => Object.assign(live, data ? { data } : {}, spec ? { spec } : {}));
    }
  };
};
let restore = (): void => undefined;

beforeAll(async () => {
  clusters = await startConnectClusters(3);
});
afterEach(() => {
  clusters.fault = undefined;
  restore();
});
afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

/** As before, but for what the other operator has changed. */
const changed = (what: string) =>
  `${what} changed meanwhile, and the plan rests on what was there before → Run the same command again: its plan goes by what is there now.`;

async function expectStopped(
  what: string,
  index: number,
  run: (change: () => void) => Promise<unknown>,
  says = changed,
) {
  restore = remembered(index);
  let before: unknown;
  const result = (await run(() => {
    if (before) return;
    CHANGES[what]?.(index);
    before = standing();
  })) as { exitCode: number; stderr: string };
  expect(before).toBeDefined();
  expect(result.exitCode, result.stderr).toBe(1);
  expect(result.stderr.replaceAll(/\s+/g, ' ')).toContain(`context "mesh-${index + 1}": ${says(what)}`);
  expect(standing()).toEqual(before);
  return result;
}

const isWrite = ({ verb, resource }: SeenRequest) =>
  ['create', 'patch', 'update'].includes(verb) && ['secrets', 'configmaps'].includes(resource);

it.each(Object.keys(CHANGES))('%s, while the peers are let in: what was written is rolled back', async (what) => {
  await expectStopped(what, 1, async (change) => {
    clusters.fault = async (request) => {
      if (isWrite(request)) change();
      return undefined;
    };
    return clusters.meshctl(connect('mesh-1', 'mesh-2'));
  });
});

it.each(Object.keys(CHANGES))('%s, while the question waits for its answer: nothing is written', async (what) => {
  if (what === 'its id') expect((await clusters.meshctl(connect('mesh-1', 'mesh-2'))).exitCode).toBe(0);
  // What the plan would do is looked at first, and one of another id has none.
  const says = what === 'its id' ? () => 'its clustermesh-apiserver runs as "mesh-1" with the id 1, and' : undefined;
  await expectStopped(
    what,
    0,
    async (change) => {
      const answer = async () => {
        change();
        clusters.requests.length = 0;
        return 'y';
      };
      const argv = connect('mesh-1', 'mesh-2', '--destination-endpoint', 'mesh-2=203.0.113.9:2379');
      const result = await clusters.meshctl(argv, { answers: [answer] });
      expect(clusters.requests.filter(isWrite)).toEqual([]);
      return result;
    },
    says,
  );
});
