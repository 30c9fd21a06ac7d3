import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type KubeObject, keyOf, type ObjectRef } from '../../src/mesh/objects/kube-object.ts';
import { agentDaemonSetRef } from '../../src/mesh/objects/names.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { jsonOf } from '../support/cli.ts';
import { startConnectedMesh } from '../support/connected-mesh.ts';
import { enable, type Meshctl } from '../support/e2e-cli.ts';
import { untilHealthy } from '../support/open-look.ts';
import { found, refs, type TestSandbox } from '../support/sandbox-mesh.ts';

/** Of the CA of mesh-1 ever less is left; nothing may make a new one by which mesh-2 would be cut off unasked. */
let sandbox: TestSandbox;
let meshctl: Meshctl;
let one: SandboxCluster;
const lost = new Map<string, KubeObject>();

const CA = refs.secret('cilium-ca');
const certificate = (role: string) => refs.secret(`clustermesh-apiserver-${role}-cert`);
const CERTIFICATES = ['server', 'admin', 'local', 'remote'].map(certificate);
const WAYS_BACK =
  /restore Secret kube-system\/cilium-ca from backup; or replace it \(cuts mesh-2 off until reconnected\): meshctl clustermesh enable --context mesh-1 --replace-ca/;
/** Where each certificate that is left is of the CA that was lost, another one can be trusted beside it. */
const WITHOUT_CUT =
  /from backup; or replace it without cutting off a peer: meshctl clustermesh certs rotate --context (mesh-1,mesh-2|'mesh-1,<context of mesh-2>') --ca/;
const canBeRotated = (state: string) => state.includes('for peers');

const keep = (ref: ObjectRef) => {
  if (!lost.has(keyOf(ref))) lost.set(keyOf(ref), structuredClone(found(one.store.get(ref), ref.name)));
};
const remove = (...objects: ObjectRef[]) => {
  for (const ref of objects) {
    keep(ref);
    one.store.delete(ref);
  }
};
const empty = (...objects: ObjectRef[]) => {
  for (const ref of objects) {
    keep(ref);
    one.store.update(ref, (secret) => {
      secret.data = Object.fromEntries(Object.keys(secret.data ?? {}).map((key) => [key, '']));
    });
  }
};

beforeAll(async () => {
  ({ sandbox, meshctl, one } = await startConnectedMesh({ nodes: 1 }));
  await connected();
});

async function connected(): Promise<void> {
  await untilHealthy(sandbox, ['mesh-1', 'mesh-2']);
}

afterEach(() => {
  for (const { metadata, ...content } of lost.values()) {
    const { name, namespace, labels, annotations } = metadata;
    const object = { ...content, metadata: { name, namespace, labels, annotations } } as KubeObject;
    const { apiVersion, kind } = object;
    const ref = { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
    if (one.store.get(ref)) one.store.delete(ref);
    one.store.create(object, 'meshctl');
  }
  lost.clear();
});

afterAll(() => sandbox.close());

const STATES: [string, () => void][] = [
  ['the CA and the server certificate deleted', () => remove(CA, certificate('server'))],
  ['the CA and all certificates deleted', () => remove(CA, ...CERTIFICATES)],
  ['the CA and the server certificate emptied', () => empty(CA, certificate('server'))],
  ['the CA and all certificates emptied', () => empty(CA, ...CERTIFICATES)],
  ['the CA and the certificate for peers deleted', () => remove(CA, certificate('remote'))],
  [
    'the Deployment deleted too',
    () => remove(CA, ...CERTIFICATES, refs.deployment('clustermesh-apiserver'), refs.service('clustermesh-apiserver')),
  ],
];

describe('a CA of which less is left than a server certificate', () => {
  it.each(STATES)('%s: enable makes none, and says the way', async (state, act) => {
    act();
    const before = one.store.get(CA);
    const refused = await meshctl(enable('mesh-1'));
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/certificate .+ cannot be issued: Secret kube-system\/cilium-ca is (missing|empty)/);
    expect(refused.stderr).toMatch(canBeRotated(state) ? WITHOUT_CUT : WAYS_BACK);
    expect(one.store.get(CA)).toEqual(before);
    const helm = await meshctl(enable('mesh-1', '--via-helm', '--dry-run'));
    expect(helm).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(canBeRotated(state) ? WITHOUT_CUT : WAYS_BACK),
    });
  });

  const both = ['--context', 'mesh-1,mesh-2'];
  it.each([
    ['enable', certificate('local'), enable('mesh-1')],
    ['certs rotate --peer', undefined, ['clustermesh', 'certs', 'rotate', ...both, '--peer', 'mesh-1', '--yes']],
    ['invite', undefined, ['clustermesh', 'invite', '--context', 'mesh-1', '--peer', 'mesh-9', '-o', 'json']],
    ['status', certificate('local'), ['clustermesh', 'status', ...both]],
    ['check', certificate('local'), ['clustermesh', 'check', ...both]],
  ])('%s names the way that cuts no peer off where there is one', async (_what, also, line) => {
    remove(CA, ...(also ? [also] : []));
    const { stdout, stderr } = await meshctl(line);
    expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toMatch(WITHOUT_CUT);
    expect(stdout + stderr).not.toContain('--replace-ca');
  });

  it.each(STATES)('%s: --replace-ca names who is cut off, and asks', async (_state, act) => {
    act();
    const plan = jsonOf(await meshctl.ok(enable('mesh-1', '--replace-ca', '--dry-run', '-o', 'json')));
    expect(plan).toMatchObject({ clusters: [{ peers: [{ peer: 'mesh-2', becomes: 'cut' }] }] });
    expect(await meshctl(enable('mesh-1', '--replace-ca'))).toMatchObject({ exitCode: 2 });
  });

  it.each(STATES)('%s: what looks says it too', async (state, act) => {
    act();
    // Nothing that runs needs the certificate for peers, where each peer has one of its own: status is content.
    const looks = [
      ['check'],
      // Where nothing of the mesh is deployed, no certificate is in use.
      ...(state.includes('Deployment') ? [] : [['certs', 'list']]),
      ...(state.includes('for peers') ? [] : [['status']]),
    ];
    for (const look of looks) {
      const { stdout } = await meshctl(['clustermesh', ...look, '--context', 'mesh-1']);
      const told = stdout.replaceAll(/\s+/g, ' ');
      expect(told, look.join(' ')).toMatch(canBeRotated(state) ? WITHOUT_CUT : /enable --context mesh-1 --replace-ca/);
      expect(stdout, look.join(' ')).not.toMatch(/enable --context mesh-1$/m);
    }
  });

  it('is lost too where peers only dial in, as a user that all share', async () => {
    const peers = ['cilium-kvstoremesh', 'cilium-clustermesh'].map(refs.secret);
    remove(CA, ...CERTIFICATES, ...peers, refs.deployment('clustermesh-apiserver'));
    const users = refs.configMap('clustermesh-remote-users');
    keep(users);
    one.store.update(users, (configMap) => {
      configMap.data = { 'users.yaml': 'users: []\n' };
    });
    const refused = await meshctl(enable('mesh-1'));
    expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('--replace-ca') });
    expect(one.store.get(CA)).toBeUndefined();
  });

  it('the way that cuts no peer off comes to its end', async () => {
    remove(CA, certificate('local'));
    await meshctl.ok(['clustermesh', 'certs', 'rotate', ...both, '--ca', '--yes']);
    await connected();
    expect((await meshctl(['clustermesh', 'check', ...both, '--category', 'tls'])).exitCode).toBe(0);
  });

  it('the way on connects again whoever has begun to dial with a former CA: Cilium reads one only together with its file', async () => {
    for (const context of ['mesh-1', 'mesh-2']) await meshctl.ok(enable(context, '--replace-ca', '--yes'));
    await meshctl.ok(['clustermesh', 'connect', '--context', 'mesh-1', '--destination-context', 'mesh-2']);
    await connected();
  });
});

it('of a Cilium that Helm has installed comes back by a rollback too, which check and enable name', async () => {
  const annotate = (release: string | undefined) =>
    one.store.update(agentDaemonSetRef('kube-system'), ({ metadata }) => {
      const { 'meta.helm.sh/release-name': _, ...annotations } = metadata.annotations ?? {};
      metadata.annotations =
        release === undefined ? annotations : { ...annotations, 'meta.helm.sh/release-name': release };
    });
  annotate('corp');
  remove(CA, certificate('server'));
  const both = ['--context', 'mesh-1,mesh-2'];
  const looks = [
    await meshctl(['clustermesh', 'check', ...both, '--category', 'tls']),
    await meshctl(enable('mesh-1')),
  ];
  annotate(undefined);
  for (const { exitCode, stdout, stderr } of looks) {
    expect(exitCode).toBe(1);
    expect((stdout + stderr).replaceAll(/\s+/g, ' ')).toContain(
      'from backup, or by helm rollback to a revision of release corp that has it, which these are: helm --kube-context mesh-1 -n kube-system history corp',
    );
  }
});
