/** A cluster whose cilium-config has been given the name or the id of another one: the others are well, and are left alone. */
import { describe, expect, it } from 'vitest';
import { IDENTITY_CHECKS } from '../../src/mesh/checks/identity.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { generateEcKey } from '../../src/pki/certificate.ts';
import { lookAt, objectAt, type WorldCluster } from '../support/mesh-world.ts';
import { snapshotOf } from '../support/snapshots.ts';

const IDS = [1, 2, 3, 4];
const authorities = await Promise.all(
  IDS.map((id) => createAuthority({ commonName: `CA ${id}`, key: generateEcKey() })),
);
const caOf = (id: number) => authorities[id - 1] as (typeof authorities)[number];

/** Four clusters that all dial each other, of which mesh-4 is changed. */
function meshWith(settings: Record<string, string>, order: readonly number[] = IDS): WorldCluster[] {
  const configure = (objects: KubeObject[]) => {
    const config = objectAt(objects, 'cilium-config', 'ConfigMap');
    config.data = { ...(config.data as object), ...settings };
  };
  return order.map((id) => ({
    id,
    ca: caOf(id),
    dials: Object.fromEntries(IDS.filter((peer) => peer !== id).map((peer) => [peer, { by: caOf(peer) }])),
    ...(id === 4 ? { change: configure } : {}),
  }));
}

describe('a cluster with the name of another one', () => {
  it.each([[IDS], [[4, 3, 2, 1]], [[1, 4]], [[4, 1]]])('read in the order %j: is all that is wrong', async (order) => {
    const { check, reports } = await lookAt(meshWith({ 'cluster-name': 'mesh-3' }, order));
    const failing = check().filter(({ severity }) => severity === 'fail');
    expect(failing.map(({ cluster }) => cluster)).toEqual(failing.map(() => 'c4'));
    expect(failing.map(({ hint }) => hint)).toEqual(
      failing.map(() => expect.stringContaining('Restore the name "mesh-4"')),
    );
    // Nobody is told to take a name that others know another cluster by.
    expect(failing.map(({ hint }) => hint)).toEqual(
      failing.map(() => expect.not.stringContaining('make everything follow')),
    );
    expect(reports.flatMap(({ context, faults }) => faults.map(({ id }) => `${context} ${id}`))).toEqual([
      'c4 identity-outdated',
    ]);
  });
});

describe('what a peer is known by, and another cluster has', () => {
  const named = (context: string, name: string, id: string) =>
    snapshotOf({ context, ciliumConfig: { 'cluster-name': name, 'cluster-id': id } });
  const hintsOf = (...clusters: ReturnType<typeof named>[]) =>
    runChecks(
      IDENTITY_CHECKS.filter(({ id }) => id === 'peer-identity').map((check) => ({ ...check, needs: [], saidBy: [] })),
      { clusters, now: new Date(), peerIds: new Map([['c1', new Map([['mesh-3', 3]])]]) },
    ).flatMap(({ severity, hint }) => (severity === 'fail' ? [hint] : []));
  const [one, three, other] = [named('c1', 'mesh-1', '1'), named('c3', 'mesh-3', '3'), named('c4', 'mesh-3', '4')];

  it('is forgotten only where the one that is known is not there', () => {
    expect(hintsOf(one, other)).toEqual([expect.stringContaining('disconnect --context c1 --peer mesh-3')]);
    expect(hintsOf(one, three, other)).toEqual([
      expect.stringMatching(/own cluster-name .*kubectl --context c4 .*"cluster-name":"<name>"/),
    ]);
  });
});
