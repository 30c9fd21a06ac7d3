import { describe, expect, it } from 'vitest';
import { type Member, planDial, planDirection, planServe, requireEnabled } from '../../src/mesh/connect.ts';
import { requireEndpoints } from '../../src/mesh/endpoints.ts';
import { requireIdentity } from '../../src/mesh/identity.ts';
import type { KubeObject } from '../../src/mesh/kube-object.ts';
import { cachedPeerFile, remotePeerFile } from '../../src/mesh/peer-config.ts';
import type { Step } from '../../src/mesh/plan.ts';
import { encodeText } from '../../src/mesh/secret-data.ts';
import type { ClusterSnapshot } from '../../src/mesh/snapshot.ts';
import { apiserverDeployment, caFacts, loadBalancerService, NOW, snapshotOf, tlsFacts } from '../support/snapshots.ts';

const SERVER_NAMES = ['clustermesh-apiserver.kube-system.svc', '*.mesh.cilium.io'];

function secret(name: string, texts: Record<string, string> = {}): KubeObject {
  const data = Object.fromEntries(Object.entries(texts).map(([key, text]) => [key, encodeText(text)]));
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'kube-system' }, data };
}

interface Shape {
  id: number;
  covers?: readonly string[];
  kvstoremesh?: boolean;
  users?: boolean;
  overrides?: Partial<ClusterSnapshot>;
  secrets?: KubeObject[];
}

/** Cluster mesh-<id>, enabled, at 10.9.0.<id>. */
function member({
  id,
  covers = [`10.9.0.${id}`],
  kvstoremesh = true,
  users = true,
  overrides,
  secrets,
}: Shape): Member {
  const ca = `ca-${id}`;
  const snapshot = snapshotOf({
    context: `context-${id}`,
    ciliumConfig: { 'cluster-name': `mesh-${id}`, 'cluster-id': String(id) },
    live: [
      loadBalancerService(`10.9.0.${id}`),
      apiserverDeployment({ kvstoremesh, users }),
      secret('clustermesh-apiserver-server-cert'),
      ...(secrets ?? [secret('cilium-clustermesh'), secret('cilium-kvstoremesh')]),
    ],
    ca: caFacts(ca),
    remoteUsers: [],
    tlsSecrets: new Map([
      [
        'clustermesh-apiserver-server-cert',
        tlsFacts(ca, {
          commonName: 'clustermesh-apiserver.kube-system.svc',
          usages: ['server', 'client'],
          dnsNames: SERVER_NAMES,
          ipAddresses: [...covers],
        }),
      ],
    ]),
    ...overrides,
  });
  return { snapshot, identity: requireIdentity(snapshot), endpoints: requireEndpoints(snapshot) };
}

const both = (one: Member, two: Member) => [planDirection(one, two), planDirection(two, one)];
const summary = (steps: readonly Step[]) =>
  steps.map(({ cluster, action, object }) => `${cluster} ${action} ${object.name}`);

describe('planServe', () => {
  it('gives each server a user for its peer, and keeps a certificate that covers the address', () => {
    const { steps } = planServe(both(member({ id: 1 }), member({ id: 2 })), NOW);
    expect(summary(steps)).toEqual([
      'context-2 keep clustermesh-apiserver-server-cert',
      'context-2 update clustermesh-remote-users',
      'context-1 keep clustermesh-apiserver-server-cert',
      'context-1 update clustermesh-remote-users',
    ]);
    expect(steps[1]?.write).toMatchObject({
      method: 'patch',
      patch: { data: { 'users.yaml': 'users:\n- name: remote-mesh-1\n  role: remote\n' } },
    });
  });

  it('adds users without losing those of others, in one step for several peers', () => {
    const server = member({ id: 3, overrides: { remoteUsers: [{ name: 'remote-other', role: 'remote' }] } });
    const incoming = [member({ id: 1 }), member({ id: 2 })].map((client) => planDirection(client, server));
    const users = planServe(incoming, NOW).steps.filter(({ object }) => object.kind === 'ConfigMap');
    expect(users).toHaveLength(1);
    expect(users[0]?.changes.map(({ path }) => path)).toEqual([
      'data.users.yaml[remote-mesh-1]',
      'data.users.yaml[remote-mesh-2]',
    ]);
    expect(JSON.stringify(users[0]?.write)).toContain('remote-other');
  });

  it('renews a certificate that does not cover the address, keeping its other names', () => {
    const [direction] = both(member({ id: 1 }), member({ id: 2, covers: ['127.0.0.1'] }));
    const [step] = planServe(direction ? [direction] : [], NOW).steps;
    expect(step?.why).toContain('10.9.0.2');
    expect(step?.write).toMatchObject({
      method: 'issue',
      certificates: [{ signer: 'context-2', spec: { dnsNames: SERVER_NAMES, ipAddresses: ['127.0.0.1', '10.9.0.2'] } }],
    });
  });
});

describe('planDirection', () => {
  it('dials the address where the certificate can be made to cover it', () => {
    expect(planDirection(member({ id: 1 }), member({ id: 2, covers: [] })).endpoint).toEqual({
      addresses: ['10.9.0.2:2379'],
    });
  });

  it('dials an alias where the CA key is elsewhere', () => {
    const server = member({ id: 2, covers: [], overrides: { ca: { ...caFacts('ca-2'), hasKey: false } } });
    expect(planDirection(member({ id: 1 }), server).endpoint.alias).toEqual({ ips: ['10.9.0.2'], port: 2379 });
  });

  it('logs in as the common user where the server makes none for peers, and warns', () => {
    const direction = planDirection(member({ id: 1 }), member({ id: 2, users: false }));
    expect(direction.user).toBe('remote');
    expect(direction.warnings[0]).toContain('context-2');
    expect(planServe([direction], NOW).steps.map(({ object }) => object.kind)).toEqual(['Secret']);
  });
});

describe('planDial', () => {
  it('gives KVStoreMesh the remote file with its certificate, and agents the local cache, in this order', () => {
    const { steps } = planDial(both(member({ id: 1 }), member({ id: 2 })).slice(0, 1), NOW);
    expect(summary(steps)).toEqual(['context-1 update cilium-kvstoremesh', 'context-1 update cilium-clustermesh']);
    expect(steps[0]?.write).toMatchObject({
      certificates: [{ signer: 'context-2', spec: { commonName: 'remote-mesh-1', usages: ['client'] } }],
      data: { 'mesh-2': remotePeerFile('mesh-2', { addresses: ['10.9.0.2:2379'] }, 'mesh-2.') },
      into: 'patch',
    });
    expect(steps[1]?.write).toMatchObject({ patch: { data: { 'mesh-2': encodeText(cachedPeerFile('kube-system')) } } });
  });

  it('gives agents the remote file where there is no KVStoreMesh', () => {
    const [direction] = both(member({ id: 1, kvstoremesh: false }), member({ id: 2 }));
    expect(summary(planDial(direction ? [direction] : [], NOW).steps)).toEqual(['context-1 update cilium-clustermesh']);
  });

  it('keeps everything on a second run', () => {
    const file = remotePeerFile('mesh-2', { addresses: ['10.9.0.2:2379'] }, 'mesh-2.');
    const client = member({
      id: 1,
      secrets: [
        secret('cilium-kvstoremesh', { 'mesh-2': file }),
        secret('cilium-clustermesh', { 'mesh-2': cachedPeerFile('kube-system') }),
      ],
      overrides: {
        peerCertificates: new Map([['mesh-2', tlsFacts('ca-2', { commonName: 'remote-mesh-1', usages: ['client'] })]]),
      },
    });
    const server = member({ id: 2, overrides: { remoteUsers: [{ name: 'remote-mesh-1', role: 'remote' }] } });
    const direction = planDirection(client, server);
    const steps = [...planServe([direction], NOW).steps, ...planDial([direction], NOW).steps];
    expect(steps.map(({ action }) => action)).toEqual(['keep', 'keep', 'keep', 'keep']);
  });

  it('renews the client certificate when the CA that checks it is another one now', () => {
    const client = member({
      id: 1,
      overrides: {
        peerCertificates: new Map([
          ['mesh-2', tlsFacts('old-ca', { commonName: 'remote-mesh-1', usages: ['client'] })],
        ]),
      },
    });
    const [step] = planDial([planDirection(client, member({ id: 2 }))], NOW).steps;
    expect(step?.write).toMatchObject({ method: 'issue', certificates: [{ signer: 'context-2' }] });
  });

  it('refuses when the CA that must sign has no key, naming the Secret', () => {
    const server = member({ id: 2, overrides: { ca: { ...caFacts('ca-2'), hasKey: false } } });
    expect(() => planDial([planDirection(member({ id: 1 }), server)], NOW)).toThrow(
      /context "context-2".*kube-system\/cilium-ca has no ca\.key/,
    );
  });

  it('shows nothing of a Secret but words', () => {
    const changes = planDial(both(member({ id: 1 }), member({ id: 2 })), NOW).steps.flatMap((step) => step.changes);
    expect(changes.map(({ to }) => to)).toEqual(
      expect.arrayContaining(['dials 10.9.0.2:2379', 'client certificate remote-mesh-1, issued by the CA of mesh-2']),
    );
  });
});

describe('requireEnabled', () => {
  it.each([
    [[], 'Cluster Mesh is not enabled'],
    [[apiserverDeployment()], 'half enabled (there is no Secret clustermesh-apiserver-server-cert)'],
  ])('says what is missing', (live, says) => {
    expect(() => requireEnabled(snapshotOf({ live }))).toThrow(says);
  });
});

describe('remotePeerFile', () => {
  it('is an etcd client configuration as Cilium reads it', () => {
    expect(remotePeerFile('mesh-2', { addresses: ['[fd00::1]:2379', 'lb.example:2379'] }, 'mesh-2.')).toBe(
      [
        'endpoints:',
        '- https://[fd00::1]:2379',
        '- https://lb.example:2379',
        'trusted-ca-file: /var/lib/cilium/clustermesh/mesh-2.etcd-client-ca.crt',
        'key-file: /var/lib/cilium/clustermesh/mesh-2.etcd-client.key',
        'cert-file: /var/lib/cilium/clustermesh/mesh-2.etcd-client.crt',
        '',
      ].join('\n'),
    );
  });

  it('names aliases with the port of the Service', () => {
    const endpoint = { addresses: [], alias: { ips: ['10.9.0.2', 'fd00::1'], port: 32380 } };
    expect(remotePeerFile('mesh-2', endpoint, 'common-')).toContain(
      'cilium-host-aliases:\n- hostname: mesh-2.mesh.cilium.io\n  ips:\n  - 10.9.0.2\n  - "fd00::1"\n',
    );
    expect(remotePeerFile('mesh-2', endpoint, 'common-')).toContain('- https://mesh-2.mesh.cilium.io:32380\n');
  });
});
