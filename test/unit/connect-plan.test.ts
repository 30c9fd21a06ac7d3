import { describe, expect, it } from 'vitest';
import { requireEndpoints } from '../../src/mesh/apiserver/endpoints.ts';
import { requireIdentity } from '../../src/mesh/cilium/identity.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { planDial } from '../../src/mesh/connect/dial-plan.ts';
import { type Direction, planDirection as directionWith, requireEnabled } from '../../src/mesh/connect/direction.ts';
import type { Member } from '../../src/mesh/connect/member.ts';
import { planServe } from '../../src/mesh/connect/serve-plan.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import { cachedPeerFile, remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
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
  const { hosts, port } = requireEndpoints(snapshot);
  const endpoints = hosts.map((host) => ({ host, port }));
  return { snapshot, identity: requireIdentity(snapshot), endpoints };
}

/** Its certificates are there, made by a CA whose key is elsewhere. They cover no address. */
function withoutCaKey(id: number): Member {
  const bare = member({ id, covers: [], secrets: [secret('clustermesh-apiserver-remote-cert')] });
  const remote = tlsFacts(`ca-${id}`, { commonName: 'remote', usages: ['client'] });
  const { tlsSecrets } = bare.snapshot;
  return {
    ...bare,
    snapshot: {
      ...bare.snapshot,
      ca: { ...caFacts(`ca-${id}`), hasKey: false },
      tlsSecrets: new Map([...tlsSecrets, ['clustermesh-apiserver-remote-cert', remote]]),
    },
  };
}

const planDirection = (client: Member, server: Member): Direction => directionWith(client, server, { now: NOW });
const both = (one: Member, two: Member) => [planDirection(one, two), planDirection(two, one)];
const usersFile = (text: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'clustermesh-remote-users' },
  data: { 'users.yaml': text },
});
const editOf = (step: Step | undefined, live: KubeObject) =>
  step?.write?.method === 'edit' ? step.write.edit(live) : undefined;
const edited = (step: Step | undefined, live: KubeObject) => {
  const edit = editOf(step, live);
  return edit === 'delete' ? edit : (edit?.patch.data as Record<string, string> | undefined)?.['users.yaml'];
};
const summary = (steps: readonly Step[]) =>
  steps.map(({ cluster, action, object }) => `${cluster} ${action} ${object.name}`);

it.each([
  ['nothing', {}, 'there is no certificate yet'],
  ['what is no certificate', { 'mesh-2.etcd-client.crt': 'garbage' }, 'the certificate that is there cannot be read'],
])('a plan says of a certificate why it is issued, where there is %s', (_what, texts, why) => {
  const file = remotePeerFile('mesh-2', { addresses: ['10.9.0.2:2379'] }, 'mesh-2.');
  const client = member({
    id: 1,
    secrets: [secret('cilium-clustermesh'), secret('cilium-kvstoremesh', { 'mesh-2': file, ...texts })],
  });
  const { steps } = planDial([planDirection(client, member({ id: 2 }))], NOW);
  expect(steps.map((step) => step.why).join('; ')).toContain(`dials mesh-2 (${why})`);
});

describe('planServe', () => {
  it('gives each server a user for its peer, and keeps a certificate that covers the address', () => {
    const { steps } = planServe(both(member({ id: 1 }), member({ id: 2 })), NOW);
    expect(summary(steps)).toEqual([
      'context-2 keep clustermesh-apiserver-server-cert',
      'context-2 update clustermesh-remote-users',
      'context-1 keep clustermesh-apiserver-server-cert',
      'context-1 update clustermesh-remote-users',
    ]);
    expect(edited(steps[1], usersFile('users:\n'))).toBe('users:\n- name: remote-mesh-1\n  role: remote\n');
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
    const other = 'users:\n- name: remote-other\n  role: remote\n';
    expect(edited(users[0], usersFile(other))).toContain(other);
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
    expect(planDirection(member({ id: 1 }), withoutCaKey(2)).endpoint.alias).toEqual({
      ips: ['10.9.0.2'],
      ports: [2379],
      in: 'file',
    });
  });

  it('logs in as the common user where the server makes none for peers, and warns', () => {
    const direction = planDirection(member({ id: 1 }), member({ id: 2, users: false }));
    expect(direction.credential.user).toBe('remote');
    expect(direction.credential.warnings[0]).toContain('context-2');
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
    const data = { 'mesh-2': encodeText(cachedPeerFile('kube-system')) };
    expect(editOf(steps[1], secret('cilium-clustermesh'))).toEqual({ patch: { data } });
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

  it.each([
    ['the CA that checks it is another one now, and its file gets a text of its own', 'old-ca', 'remote-mesh-1', true],
    ['it is not of its user, and its file stays as it is', 'ca-2', 'somebody', false],
  ])('renews the client certificate when %s', (_case, ca, commonName, isNew) => {
    const file = remotePeerFile('mesh-2', { addresses: ['10.9.0.2:2379'] }, 'mesh-2.');
    const facts = tlsFacts(ca, { commonName, usages: ['client'] });
    const former = { ...facts, ...(facts.ca && isNew ? { ca: { ...facts.ca, sha256: 'bb' } } : {}) };
    const client = member({
      id: 1,
      secrets: [secret('cilium-clustermesh'), secret('cilium-kvstoremesh', { 'mesh-2': file })],
      overrides: { peerCertificates: new Map([['mesh-2', former]]) },
    });
    const [step] = planDial([planDirection(client, member({ id: 2 }))], NOW).steps;
    expect(step?.write).toMatchObject({
      method: 'issue',
      certificates: [{ signer: 'context-2' }],
      // Cilium takes it for changed by its text alone, and reads the CA again only then.
      data: isNew
        ? {
            'mesh-2': `${file}# The CA of the peer changed ${NOW.toISOString()}; Cilium reads it together with this file only.\n`,
          }
        : {},
    });
    if (!isNew) expect(step?.write).not.toHaveProperty(['data', 'mesh-2']);
  });

  it('refuses when the CA that must sign has no key, naming the Secret', () => {
    expect(() => directionWith(member({ id: 1 }), withoutCaKey(2), { credentials: 'per-peer', now: NOW })).toThrow(
      /context "context-2".*kube-system\/cilium-ca has no ca\.key/,
    );
  });

  it('shows nothing of a Secret but words', () => {
    const changes = planDial(both(member({ id: 1 }), member({ id: 2 })), NOW).steps.flatMap((step) => step.changes);
    expect(changes.map(({ to }) => to)).toEqual(
      expect.arrayContaining([
        'dials 10.9.0.2:2379',
        'client certificate remote-mesh-1 (until its CA ends on 2029-01-01), issued by the CA of mesh-2',
      ]),
    );
  });
});

describe('requireEnabled', () => {
  it.each([
    [[], 'Cluster Mesh is not enabled'],
    [
      [apiserverDeployment()],
      'half enabled (there is no Secret clustermesh-apiserver-server-cert, no ConfigMap clustermesh-remote-users)',
    ],
  ])('says what is missing', (live, says) => {
    expect(() => requireEnabled([snapshotOf({ live })])).toThrow(says);
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
    const endpoint = { addresses: [], alias: { ips: ['10.9.0.2', 'fd00::1'], ports: [32380], in: 'file' as const } };
    expect(remotePeerFile('mesh-2', endpoint, 'common-')).toContain(
      'cilium-host-aliases:\n- hostname: mesh-2.mesh.cilium.io\n  ips:\n  - 10.9.0.2\n  - "fd00::1"\n',
    );
    expect(remotePeerFile('mesh-2', endpoint, 'common-')).toContain('- https://mesh-2.mesh.cilium.io:32380\n');
  });
});
