/** A cluster that runs under another name or id than its cilium-config has by now. */
import { describe, expect, it } from 'vitest';
import { MESH_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { sizeFaults } from '../../src/mesh/faults/size-faults.ts';
import { unreadyAmong } from '../../src/mesh/faults/unready.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import { concernedPeers } from '../../src/mesh/peers/concerned-peers.ts';
import { remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { isChoiceHalfRecorded, isHalfOfPeering, undialledServers } from '../../src/mesh/peers/lost-halves.ts';
import { dialsThis } from '../../src/mesh/peers/namesakes.ts';
import { marksFor } from '../../src/mesh/peers/peer-choices.ts';
import { unusedKeys } from '../../src/mesh/peers/unused-keys.ts';
import { apiserverDeployment, NOW, snapshotOf } from '../support/snapshots.ts';

/**
 * @param mark `<name>/<id>` with which its pods were started
 * @param serves who dials it one-way, as chosen
 */
function clusterOf(
  context: string,
  config: Record<string, string>,
  mark?: string,
  dials: string[] = [],
  serves: string[] = [],
) {
  const deployment = apiserverDeployment();
  const { template, ...spec } = deployment.spec as { template: KubeObject };
  const annotations = mark === undefined ? {} : { 'meshctl.io/cluster': mark };
  const marked = { ...template, metadata: { ...template.metadata, annotations } };
  const files = dials.map((peer) => [
    peer,
    encodeText(remotePeerFile(peer, { addresses: ['203.0.113.7:2379'] }, `${peer}.`)),
  ]);
  const secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'cilium-kvstoremesh', namespace: 'kube-system' },
    data: Object.fromEntries(files),
  };
  const chosen = serves.map((peer) => marksFor(peer, { mode: 'served' }) as Record<string, string>);
  const agents = { name: 'cilium-clustermesh', namespace: 'kube-system', annotations: Object.assign({}, ...chosen) };
  const live = [
    { ...deployment, spec: { ...spec, template: marked } },
    secret,
    { ...secret, metadata: agents, data: {} },
  ];
  return snapshotOf({ context, ciliumConfig: config, live });
}

const named = (name: string, id = '2') => ({ 'cluster-name': name, 'cluster-id': id });
const patch = (data: object) =>
  `kubectl --context two -n kube-system patch configmap cilium-config --type merge --patch '${JSON.stringify({ data })}'`;

describe('clusters that are alike', () => {
  const hintOf = (id: string, two: ClusterSnapshot) => {
    const clusters = [clusterOf('one', named('mesh-1', '1'), 'mesh-1/1'), two];
    const check = MESH_CHECKS.filter((one) => one.id === id).map((one) => ({ ...one, needs: undefined }));
    const [finding] = runChecks(check, { clusters, now: NOW, observed: new Map() });
    return finding?.hint;
  };

  it.each([
    ['cluster-name-unique', clusterOf('two', named('mesh-1'), 'mesh-2/2'), patch({ 'cluster-name': 'mesh-2' })],
    ['cluster-id-unique', clusterOf('two', named('mesh-2', '1'), 'mesh-2/2'), patch({ 'cluster-id': '2' })],
    ['cluster-name-unique', clusterOf('two', named('mesh-1')), patch({ 'cluster-name': '<name>' })],
    ['cluster-id-unique', clusterOf('two', named('mesh-2', '1')), patch({ 'cluster-id': '<id>' })],
  ])('%s: one has its own back, or gets one that the operator knows', (id, two, command) => {
    expect(hintOf(id, two)).toContain(command);
  });

  it('keep the name of the one that has peers, whoever else was read', () => {
    const green = { ...clusterOf('two', named('mesh-1')), context: 'green' };
    const blue = clusterOf('one', named('mesh-1'), undefined, ['mesh-7']);
    const check = MESH_CHECKS.filter(({ id }) => id === 'cluster-name-unique');
    for (const clusters of [
      [green, blue],
      [blue, green],
    ]) {
      const found = runChecks(check, { clusters, now: NOW, observed: new Map() });
      expect(found.find(({ severity }) => severity === 'fail')?.hint).toContain(': kubectl --context green ');
    }
  });
});

describe('the peers of a plan', () => {
  it.each<[string, ClusterSnapshot, ClusterSnapshot[], string[]]>([
    ['those that it dials', clusterOf('two', named('mesh-2'), 'mesh-2/2', ['mesh-1']), [], ['mesh-1']],
    [
      'the one whose name it was given',
      clusterOf('two', named('mesh-1'), 'mesh-2/2', ['mesh-1']),
      [clusterOf('one', named('mesh-1', '1'), 'mesh-1/1', ['mesh-2'])],
      ['mesh-1'],
    ],
    [
      'one that dials it by its former name',
      clusterOf('two', named('west'), 'mesh-2/2'),
      [clusterOf('one', named('mesh-1', '1'), 'mesh-1/1', ['mesh-2'])],
      ['mesh-1'],
    ],
    ['never itself', clusterOf('two', named('mesh-2'), 'mesh-2/2', ['mesh-2']), [], []],
  ])('are %s', (_what, cluster, others, expected) => {
    expect(concernedPeers(cluster, others)).toEqual(expected);
  });
});

describe('a connection of a cluster that has the next name of another one', () => {
  const served = clusterOf('one', named('mesh-1', '1'), 'mesh-1/1', ['mesh-2'], ['mesh-3']);
  const dialling = clusterOf('two', named('mesh-3'), 'mesh-2/2', ['mesh-1']);
  const alone = clusterOf('two', named('mesh-3'), 'mesh-2/2');

  it('is not taken for its own: neither a choice of one way, nor one that is lost', () => {
    expect(isChoiceHalfRecorded(dialling, served)).toBe(false);
    expect(undialledServers(alone, [served])).toEqual([]);
  });

  it('is known by the name with which each runs', () => {
    expect(isHalfOfPeering(dialling, served)).toBe(false);
    expect(isHalfOfPeering(served, alone)).toBe(true);
  });
});

describe('whatever is looked up by the name of a cluster that has another one by now, is by the one that its peers know', () => {
  const one = clusterOf('one', named('mesh-1', '1'), 'mesh-1/1', ['mesh-2']);
  const two = clusterOf('two', named('west'), 'mesh-2/2', ['mesh-1']);
  const taken = clusterOf('three', named('mesh-2', '3'), 'mesh-3/3');

  it('who dials it', () => {
    expect(dialsThis(one, two)).toBe(true);
    expect(dialsThis(two, one)).toBe(true);
    // That has its former name next, and runs under another one.
    expect(dialsThis(one, taken)).toBe(false);
  });

  it('how large its mesh is to be', () => {
    const large = JSON.parse(JSON.stringify([...two.objects]).replaceAll('clusters=255', 'clusters=511'));
    const ciliumConfig = { ...two.ciliumConfig, 'max-connected-clusters': '511' };
    const faults = sizeFaults(one, { others: [{ ...two, ciliumConfig, objects: new Map(large) }], now: NOW });
    expect(faults.map(({ id, peer }) => [id, peer])).toEqual([['max-connected-clusters-equal', 'mesh-2']]);
  });

  it('which keys of peers are for nobody', () => {
    const [, secret] = [...clusterOf('two', named('west'), 'mesh-2/2').objects.values()];
    const holding = {
      ...(secret as KubeObject),
      data: { 'mesh-2': encodeText('nothing'), other: encodeText('nothing') },
    };
    expect(unusedKeys(two, holding, [one, two])).toEqual({ ofNobody: ['other'], ofClusters: [] });
    expect(unusedKeys(clusterOf('four', named('mesh-4', '4')), holding, [two]).ofClusters).toEqual(['mesh-2']);
  });

  it('to whom nobody can be connected: it has no certificate', () => {
    expect([...unreadyAmong([two])]).toEqual(['mesh-2']);
  });

  it('how many clusters a mesh has', () => {
    const max = Array.from({ length: 254 }, (_, at) => `peer-${at}`);
    const full = { ...clusterOf('one', named('mesh-1', '1'), 'mesh-1/1', ['mesh-2', ...max.slice(0, 253)]) };
    const check = MESH_CHECKS.filter(({ id }) => id === 'mesh-size').map((each) => ({ ...each, needs: undefined }));
    const [finding] = runChecks(check, { clusters: [full, two], now: NOW, observed: new Map() });
    expect(finding?.severity).toBe('pass');
  });
});
