import { describe, expect, it } from 'vitest';
import { createTheme } from '../../src/cli/terminal/theme.ts';
import { requireEndpoints } from '../../src/mesh/apiserver/endpoints.ts';
import { requireIdentity } from '../../src/mesh/cilium/identity.ts';
import { planDial } from '../../src/mesh/connect/dial-plan.ts';
import { planDirection } from '../../src/mesh/connect/direction.ts';
import type { Member } from '../../src/mesh/connect/member.ts';
import { planServe } from '../../src/mesh/connect/serve-plan.ts';
import type { PeerEffect } from '../../src/mesh/plan/peer-effects.ts';
import { laterLines } from '../../src/views/file/apply-view.ts';
import { planData, planText } from '../../src/views/plan/plan-view.ts';
import { namesOf } from '../support/mesh-names.ts';
import {
  apiserverDeployment,
  caFacts,
  loadBalancerService,
  NOW,
  secretObject,
  snapshotOf,
  tlsFacts,
} from '../support/snapshots.ts';

const plain = await createTheme(false);

/** Cluster mesh-<id>, enabled, at 10.9.0.<id>, behind a context that is not called like it. */
function member(id: number): Member {
  const serving = tlsFacts(`ca-${id}`, {
    commonName: 'clustermesh-apiserver.kube-system.svc',
    dnsNames: ['clustermesh-apiserver.kube-system.svc', '*.mesh.cilium.io'],
    ipAddresses: [`10.9.0.${id}`],
  });
  const snapshot = snapshotOf({
    context: `context-${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id) },
    live: [
      ...[loadBalancerService(`10.9.0.${id}`), apiserverDeployment()],
      ...['cilium-clustermesh', 'cilium-kvstoremesh'].map((name) => secretObject(name, {})),
    ],
    ca: caFacts(`ca-${id}`),
    remoteUsers: [],
    tlsSecrets: new Map([['clustermesh-apiserver-server-cert', serving]]),
  });
  const { hosts, port } = requireEndpoints(snapshot);
  return { snapshot, identity: requireIdentity(snapshot), endpoints: hosts.map((host) => ({ host, port })) };
}

/** @param elsewhere the address at which the first dials the second, where that is another one */
function planOf(members: readonly Member[], pairs: readonly (readonly [Member, Member])[], elsewhere?: string) {
  const directions = pairs.map(([client, server]) => {
    const other = elsewhere !== undefined && client === members[0] && server === members[1];
    const dialled: Member = other
      ? { ...server, endpoints: [{ host: elsewhere, port: 2379 }], given: 'addresses' }
      : server;
    return planDirection(client, dialled, { now: NOW });
  });
  const names = new Map(members.map(({ snapshot, identity }) => [snapshot.context, identity.name]));
  return { steps: [...planServe(directions, NOW).steps, ...planDial(directions, NOW).steps], names };
}

const everyOther = (members: readonly Member[]) =>
  members.flatMap((one) => members.filter((other) => other !== one).map((other) => [one, other] as const));

describe('a plan of many clusters', () => {
  it('says once what all do for each other, and of each peer what is the same everywhere', () => {
    const members = namesOf(6).map((_, index) => member(index + 1));
    expect(planText(planOf(members, everyOther(members)), plain)).toMatchInlineSnapshot(`
      "Contexts context-2, context-3, context-4, context-5, context-6 and context-1, each:
        ~ update ConfigMap kube-system/clustermesh-remote-users (lets peers in)
            with each other cluster of this plan as <peer>:
              data.users.yaml[remote-<peer>]: {"name":"remote-<peer>","role":"remote"}
        ~ update Secret kube-system/cilium-kvstoremesh (dials peers)
            with each other cluster of this plan as <peer>:
              data.<peer>.etcd-client.crt: client certificate remote-<itself> (until its CA ends on 2029-01-01), issued by the CA of <peer>
              data.<peer>: as below
              keys <peer>.etcd-client-ca.crt, <peer>.etcd-client.crt, <peer>.etcd-client.key: made when the plan is applied
        ~ update Secret kube-system/cilium-clustermesh (agents read peers from their own KVStoreMesh)
            with each other cluster of this plan as <peer>:
              data.<peer>: dials clustermesh-apiserver.kube-system.svc:2379
        = keep 1 object as it is (-o json names them)
      Of each peer, the same in all of them:
        data.mesh-1: dials 10.9.0.1:2379
        data.mesh-2: dials 10.9.0.2:2379
        data.mesh-3: dials 10.9.0.3:2379
        data.mesh-4: dials 10.9.0.4:2379
        data.mesh-5: dials 10.9.0.5:2379
        data.mesh-6: dials 10.9.0.6:2379
      Plan: 18 to update, 6 to keep."
    `);
  });

  it('stays readable in a full mesh of 40 clusters', () => {
    const members = namesOf(40).map((_, index) => member(index + 1));
    const report = planOf(members, everyOther(members));
    const lines = planText(report, plain).split('\n');
    expect(lines.length).toBeLessThan(70);
    // Whom each dials, and where, is all still said.
    for (const { identity } of members)
      expect(lines).toContainEqual(expect.stringContaining(`data.${identity.name}: dials 10.9.0.${identity.id}:2379`));
    const { clusters } = planData(report) as { clusters: { steps: { changes: unknown[] }[] }[] };
    expect(clusters.every(({ steps }) => steps.some(({ changes }) => changes.length >= 39))).toBe(true);
  });

  it('names what is special: a peer that one of them dials elsewhere, and who is cut', () => {
    const members = namesOf(8).map((_, index) => member(index + 1));
    const report = planOf(members, everyOther(members), '10.8.0.9');
    const cut = (cluster: string, peer: string): PeerEffect => ({
      cluster,
      peer,
      becomes: 'cut',
      why: 'it is another one',
    });
    const effects = [cut('context-5', 'mesh-7'), ...namesOf(7).map((peer) => cut('context-8', peer))];
    const text = planText({ ...report, effects }, plain);
    expect(text).toContain('Context context-1:\n');
    expect(text).toContain('      data.mesh-2: dials 10.8.0.9:2379');
    expect(text).toContain('  ✗ peer mesh-7 is cut off until it is connected again: it is another one');
    expect(text).toContain(
      '  ✗ each other cluster of this plan is cut off until it is connected again: it is another one',
    );
    expect(text).toContain('Contexts context-3, context-4, context-6 and context-7, each:');
  });

  it('names peers that are not all others, and the cluster itself in none but its own block', () => {
    const members = namesOf(7).map((_, index) => member(index + 1));
    const [hub] = members;
    const star = everyOther(members).filter((pair) => pair.includes(hub as Member));
    const text = planText(planOf(members, star), plain);
    expect(text.match(/^Contexts? .*:$/gm)).toEqual([
      'Contexts context-2, context-3, context-4, context-5, context-6 and context-7, each:',
      'Context context-1:',
    ]);
    expect(text).toContain('data.mesh-1.etcd-client.crt: client certificate remote-<itself>');
  });

  it('says of many pairs that are planned only later who dials whom, and once what that writes', () => {
    const names = namesOf(7);
    const pairs = names.flatMap((one, index) =>
      names.slice(index + 1).map((other) => ({ clusters: [one, other] as const, oneWay: false })),
    );
    expect(laterLines(pairs, planOf([], []).steps, plain)).toHaveLength(1 + pairs.length);
    const steps = names.map((cluster) => ({
      ...({
        cluster,
        action: 'update',
        changes: [],
        why: `dials all but ${cluster}`,
        whyOfMany: 'dials peers',
      } as const),
      object: { apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system', name: 'cilium-clustermesh' },
    }));
    expect(laterLines(pairs, steps, plain)).toEqual([
      'Then, at addresses known only by then:',
      '  + mesh-1, mesh-2, mesh-3, mesh-4, mesh-5, mesh-6 and mesh-7 dial each other, every pair of them',
      '  Contexts mesh-1, mesh-2, mesh-3, mesh-4, mesh-5, mesh-6 and mesh-7, each:',
      '    ~ update Secret kube-system/cilium-clustermesh (dials peers)',
    ]);
    expect(laterLines(pairs.slice(0, 7), steps, plain).slice(1, 3)).toEqual([
      '  + mesh-1 and each of mesh-2, mesh-3, mesh-4, mesh-5, mesh-6 and mesh-7 dial each other',
      '  + mesh-2 and mesh-3 dial each other',
    ]);
  });
});
