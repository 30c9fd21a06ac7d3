import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { applyLeaseRef } from '../../src/mesh/objects/names.ts';
import { workingAnnotation } from '../../src/mesh/working-runs.ts';
import type { CliResult } from '../support/cli.ts';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { found, refs } from '../support/sandbox-mesh.ts';

let clusters: ConnectClusters;

beforeEach(async () => {
  clusters = await startConnectClusters(2);
});
afterEach(() => clusters?.close());

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ');
const disabling = (...flags: string[]) => ['clustermesh', 'disable', '--context', 'mesh-2', '--yes', ...flags];
const usersOfFirst = () =>
  JSON.stringify(clusters.clusters[0]?.store.get(refs.configMap('clustermesh-remote-users'))?.data);

/** Connects, and has something else come to a point once mesh-2 lets mesh-1 in, before that is proved. */
async function connectWhile(other: () => Promise<unknown>): Promise<CliResult> {
  let isServed = false;
  let isOver = false;
  clusters.fault = async ({ context, verb, name, resource }) => {
    if (context !== 'mesh-2' || isOver) return undefined;
    if (verb === 'patch' && name === 'clustermesh-remote-users') isServed = true;
    if (!isServed || verb !== 'list' || resource !== 'pods') return undefined;
    isOver = true;
    await other();
    return undefined;
  };
  return clusters.meshctl(connect('mesh-1', 'mesh-2'));
}

describe('a connect whose cluster is disabled meanwhile', () => {
  it('ends, where that is through, with what has it enabled again', async () => {
    const before = usersOfFirst();
    const first = await connectWhile(() => clusters.meshctl.ok(disabling()));
    expect(first.exitCode, first.stderr).toBe(1);
    expect(oneLine(first.stderr)).toContain(
      'context "mesh-2": someone else has removed its clustermesh-apiserver meanwhile, so no peer can be let in there → If the cluster is to be connected all the same, enable it, then run the same command again: meshctl clustermesh enable --context mesh-2',
    );
    // Of what it wrote there nothing is left that could be taken back.
    expect(first.stderr).toContain('others have removed ConfigMap kube-system/clustermesh-remote-users');
    expect(first.stderr).not.toContain('--peer mesh-1');
    expect(usersOfFirst()).toBe(before);
    await clusters.meshctl.ok(['clustermesh', 'enable', '--context', 'mesh-2']);
    await clusters.meshctl.ok(connect('mesh-1', 'mesh-2'));
  });

  /** As a disable of mesh-2 does that has not ended. */
  const markAt = (index: number, peers: readonly string[]) => {
    const since = new Date();
    const until = new Date(since.getTime() + 60_000);
    const mark = {
      run: 'other',
      host: 'elsewhere',
      since,
      until,
      command: 'disable',
      peers,
      isRollingBack: false,
    } as const;
    found(clusters.clusters[index], `cluster ${index}`).store.update(applyLeaseRef('kube-system'), (live) => {
      Object.assign(live.metadata, {
        annotations: { ...live.metadata.annotations, ...workingAnnotation('other', mark) },
      });
    });
  };

  it('says which run does that, where it is at work', async () => {
    const first = await connectWhile(async () => {
      await clusters.meshctl.ok(disabling());
      markAt(1, []);
    });
    expect(oneLine(first.stderr)).toContain(
      'context "mesh-2": another run, disable on elsewhere, has removed its clustermesh-apiserver meanwhile, so no peer can be let in there → Wait until it has ended. If the cluster is',
    );
  });

  it('says so as well where its user is removed at the peer', async () => {
    const before = usersOfFirst();
    const first = await connectWhile(async () => {
      found(clusters.clusters[0], 'mesh-1').store.update(refs.configMap('clustermesh-remote-users'), (live) => {
        live.data = JSON.parse(before ?? '');
      });
      markAt(0, ['mesh-2']);
    });
    expect(first.exitCode, first.stderr).toBe(1);
    expect(oneLine(first.stderr)).toMatch(
      /another run, disable on elsewhere, has removed the user from ConfigMap \S+ again → Wait until it has ended, then run the same command again/,
    );
  });
});

it('a connect whose clustermesh-apiserver is scaled to 0 meanwhile says what brings it up', async () => {
  const first = await connectWhile(async () => {
    const { store } = found(clusters.clusters[1], 'mesh-2');
    store.update(refs.deployment('clustermesh-apiserver'), (live) => {
      (live.spec as { replicas: number }).replicas = 0;
    });
    await expect
      .poll(() =>
        store
          .list({ apiVersion: 'v1', kind: 'Pod' })
          .filter((pod) => pod.metadata.name.startsWith('clustermesh-apiserver')),
      )
      .toEqual([]);
  });
  expect(oneLine(first.stderr)).toContain('its Deployment is scaled to 0 → kubectl --context mesh-2');
});
