import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type KubeObject, keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import { remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { foreignHomes } from '../../src/mesh/peers/foreign-homes.ts';
import { readRenderedByHelm } from '../../src/snapshot/helm-release.ts';
import { secretObject, snapshotOf } from '../support/snapshots.ts';

const file = (peer: string, ip: string) => remotePeerFile(peer, { addresses: [`${ip}:2379`] }, 'common-');
const MARKS = {
  annotations: { 'meta.helm.sh/release-name': 'cilium', 'meta.helm.sh/release-namespace': 'kube-system' },
};
const byMeshctl = (...keys: string[]) => ({
  ...MARKS,
  managedFields: [
    {
      manager: 'meshctl',
      operation: 'Update' as const,
      fieldsV1: { 'f:data': Object.fromEntries(keys.map((key) => [`f:${key}`, {}])) },
    },
  ],
});

function secretOf(peers: Readonly<Record<string, string>>): KubeObject {
  const secret = secretObject('cilium-kvstoremesh', peers);
  return { ...secret, metadata: { ...secret.metadata, ...byMeshctl(...Object.keys(peers)) } };
}

function usersOf(...peers: string[]): KubeObject {
  const metadata = { name: 'clustermesh-remote-users', namespace: 'kube-system', ...byMeshctl('users.yaml') };
  const users = peers.map((name) => `- name: remote-${name}\n  role: remote\n`).join('');
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'users.yaml': `users:\n${users}` } };
}

/** What an operator is told, where a release renders this of what is there. */
async function told(live: readonly KubeObject[], rendered: readonly KubeObject[] | 'unread', peers: readonly string[]) {
  const manifest = (rendered === 'unread' ? [] : rendered)
    .map(({ apiVersion, kind, metadata: { name }, data }) => stringify({ apiVersion, kind, metadata: { name }, data }))
    .map((text) => `---\n# Source: cilium/templates/a.yaml\n${text}`)
    .join('');
  const release = (revision: number, text: string): KubeObject => {
    const packed = gzipSync(JSON.stringify({ name: 'cilium', manifest: text })).toString('base64');
    const secret = secretObject(`sh.helm.release.v1.cilium.v${revision}`, { release: packed });
    return { ...secret, metadata: { ...secret.metadata, labels: { version: String(revision) } } };
  };
  const asked: string[] = [];
  const listAll = async ({ labelSelector = '' }: { labelSelector?: string | undefined }) => {
    asked.push(labelSelector);
    return rendered === 'unread' ? [] : [release(9, ''), release(10, manifest)];
  };
  const found = await readRenderedByHelm({ listAll }, live);
  expect(asked).toEqual(['owner=helm,name=cilium,status=deployed']);
  const snapshot = snapshotOf({
    context: 'one',
    objects: new Map(live.map((object) => [keyOf(refOf(object)), object])),
    remoteUsers: peers.map((name) => ({ name: `remote-${name}`, role: 'remote' })),
  });
  return foreignHomes(snapshot, found).map(({ lasting }) => lasting.split(':')[0]);
}

const TWO = file('two', '192.0.2.2');
const THREE = file('three', '192.0.2.3');
const NAMED = 'its values must name';
const PLACE = 'in clustermesh.config.clusters';

describe('the peers that a source must name', () => {
  it('are those that it does not have', async () => {
    const live = [secretOf({ two: TWO, three: THREE })];
    expect(await told(live, [secretOf({ two: TWO })], [])).toEqual([`${NAMED} three ${PLACE}`]);
    expect(await told(live, [secretOf({})], [])).toEqual([`${NAMED} three, two ${PLACE}`]);
  });

  it('are none where it has all of them, and nothing is told', async () => {
    const live = [secretOf({ two: TWO }), usersOf('two')];
    expect(await told(live, [secretOf({ two: TWO }), usersOf('two')], ['two'])).toEqual([]);
  });

  it('are those that it has otherwise, too, which is said', async () => {
    const [says] = await told([secretOf({ two: TWO, three: THREE })], [secretOf({ two: THREE, three: THREE })], []);
    expect(says).toBe(`its source has two otherwise than it is there; ${NAMED} two ${PLACE}`);
  });

  it('are the users that it does not list', async () => {
    expect(await told([usersOf('two', 'three')], [usersOf('two')], ['two', 'three'])).toEqual([
      `${NAMED} three ${PLACE}`,
    ]);
  });

  it('are not those that were taken out since, which it brings back: that is said', async () => {
    const without = `its values must not name three ${PLACE}`;
    expect(await told([secretOf({ two: TWO })], [secretOf({ two: TWO, three: THREE })], [])).toEqual([without]);
    expect(await told([usersOf('two')], [usersOf('two', 'three')], ['two'])).toEqual([without]);
    const both = await told([secretOf({ two: TWO })], [secretOf({ three: THREE })], []);
    expect(both).toEqual([without, `${NAMED} two ${PLACE}`]);
    // Whom it dials it may have chosen not to let in.
    const dials = [secretOf({ two: TWO, three: THREE }), usersOf('two')];
    expect(await told(dials, [secretOf({ two: TWO, three: THREE }), usersOf('two', 'three')], ['two'])).toEqual([]);
  });

  it('are all where the release cannot be read', async () => {
    expect(await told([secretOf({ two: TWO })], 'unread', [])).toEqual([`${NAMED} two ${PLACE}`]);
  });
});
