import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { refOf } from '../../src/mesh/objects/kube-object.ts';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { failureOf, jsonOf } from '../support/cli.ts';
import { eventually, found, refs, setSecret, setUsers } from '../support/sandbox-mesh.ts';
import { serviceObjects } from '../support/service-clusters.ts';
import { good, mesh, type Owner, startTwoOwners, type TwoOwners } from '../support/two-owners.ts';

let two: TwoOwners;
let a: Owner;
let b: Owner;
/** Every message and progress line that any owner has seen. */
const seen: string[] = [];

beforeAll(async () => {
  two = await startTwoOwners(3);
  const listening =
    (name: string): Owner =>
    async (argv, options) => {
      const result = await found(two.owners[name], name)(argv, options);
      seen.push(result.stdout, result.stderr);
      return result;
    };
  [a, b] = [listening('mesh-1'), listening('mesh-2')];
});
afterAll(() => two?.close());

const accept = (owner: Owner, file: string, ...words: string[]) => owner(mesh('accept', file, ...words));

function secretsOf(context: string) {
  const { store } = found(
    two.clusters.clusters.find((cluster) => cluster.context === context),
    context,
  );
  return store.list({ apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system' });
}

/** All private keys in the clusters, as their lines of base64. */
function keyLines(): string[] {
  const texts = ['mesh-1', 'mesh-2', 'mesh-3'].flatMap((context) =>
    secretsOf(context).flatMap((secret) => Object.values(secretTexts(secret))),
  );
  return texts
    .filter((text) => text.includes('PRIVATE KEY'))
    .flatMap((text) => text.split('\n').filter((line) => line.length > 40 && !line.includes('-----')));
}

describe('two owners', () => {
  let invitation: string;
  let reply: string;

  it('look at an invitation without making one', async () => {
    const plan = await a(mesh('invite', '--dry-run'));
    expect(plan.stdout).toContain('keeps the key of the invitation until');
    expect(plan.stdout).toContain('each run makes an id, a key and a Secret of its own: not these');
    expect(plan.stdout).toContain('Nothing was changed');
    expect(secretsOf('mesh-1').filter(({ metadata }) => metadata.name.includes('invitation'))).toEqual([]);
  });

  it('begin with an invitation, of which only the inviter keeps a key', async () => {
    const result = await a(mesh('invite', '--valid', '2h'));
    invitation = good(result);
    expect(result.stderr).toMatch(/The CA of mesh-1 \(yours\): SHA256:([0-9A-F]{2}:){31}[0-9A-F]{2}/);
    expect(parse(invitation)).toMatchObject({ kind: 'ClusterMeshInvitation', step: 'invitation' });
    await two.save('invitation.yaml', invitation);
    const [secret] = secretsOf('mesh-1').filter(({ metadata }) => metadata.labels?.['meshctl.io/invitation']);
    expect(Object.keys(secretTexts(secret))).toEqual(['record.json', 'tls.key']);
  });

  it('refuse what was altered, is of this cluster, or is no message', async () => {
    const document = parse(invitation) as { cluster: { endpoints: string[] }; expires: string };
    const elsewhere = { ...document, cluster: { ...document.cluster, endpoints: ['203.0.113.66:2379'] } };
    const longer = { ...document, expires: '2099-01-01T00:00:00.000Z' };
    for (const [name, changed] of Object.entries({ elsewhere, longer })) {
      await two.save(`${name}.yaml`, stringify(changed));
      const refused = failureOf(await accept(b, `${name}.yaml`, '-y'));
      expect(refused).toMatchObject({ exitCode: 1 });
      expect(refused.says).toContain('the invitation of "mesh-1" was altered on its way');
    }
    expect(failureOf(await accept(a, 'invitation.yaml', '-y')).says).toContain(
      'the invitation was made by this very cluster, "mesh-1" (context "mesh-1"): it is for the other owner',
    );
    await two.save('empty.yaml', '');
    expect(failureOf(await accept(b, 'empty.yaml', '-y')).says).toContain(
      'empty.yaml is not an invitation message: it is not a mapping of fields',
    );
    const nothing = await b(mesh('accept', '-'), { input: '' });
    expect(failureOf(nothing).says).toContain('standard input is not an invitation message');
    expect(failureOf(await accept(b, 'nowhere.yaml', '-y'))).toMatchObject({ exitCode: 2 });
  });

  it('are asked to compare fingerprints; another one than was named is refused', async () => {
    const unasked = failureOf(await accept(b, 'invitation.yaml'));
    expect(unasked).toMatchObject({ exitCode: 2 });
    expect(unasked.says).toContain('confirmation needed');
    expect(unasked.says).toContain('Review the plan with --dry-run, ask the owner');
    // To compare is the point of the question: no hint leads past it.
    expect(unasked.says).toContain("meshctl clustermesh accept invitation.yaml --fingerprint '<SHA256:…>'");
    expect(unasked.says).not.toMatch(/--yes|SHA256:[0-9A-F]/);
    const looked = await accept(b, 'invitation.yaml', '--dry-run');
    expect(looked.stderr).toMatch(/The CA of mesh-1 \(theirs\): SHA256:[0-9A-F]{2}/);
    expect(looked.stderr).toMatch(/The CA of mesh-2 \(yours\): SHA256:[0-9A-F]{2}/);
    const other = `SHA256:${'AB:'.repeat(31)}AB`;
    expect(failureOf(await accept(b, 'invitation.yaml', '--fingerprint', other)).says).toContain(`not ${other}`);
    const declined = await b(mesh('accept', 'invitation.yaml'), { answers: ['n'] });
    expect(failureOf(declined).says).toContain('nothing was changed: the CA of "mesh-1" was not confirmed');
    expect(declined.stderr).toContain('The CA of mesh-1 (theirs): SHA256:');
    expect(declined.stderr).toContain('The CA of mesh-2 (yours): SHA256:');
  });

  it('are told which Services may come to be shared', async () => {
    const { store } = found(two.clusters.clusters[1], 'mesh-2');
    const objects = serviceObjects('web');
    for (const object of objects) store.create(object);
    const looked = await accept(b, 'invitation.yaml', '--dry-run', '-o', 'json');
    expect(jsonOf(looked).warnings).toEqual(
      expect.arrayContaining([
        'context "mesh-2": requests from mesh-1 for default/web may come in, if also global there',
      ]),
    );
    for (const object of objects) store.delete(refOf(object));
  });

  it('accept it, once and again with the same reply', async () => {
    expect((await a(mesh('status'))).stdout).toMatch(
      /invitation [0-9a-f]{24} waits for the reply of the other owner \(until .*\n.*accept --context mesh-1 reply.yaml/,
    );
    reply = good(await b(mesh('accept', 'invitation.yaml'), { answers: ['y'] }));
    const half = await b(mesh('status'));
    expect(half.stdout).toMatch(
      /lets mesh-1 in\n‼ mesh-2: invitation .* waits for the confirmation of the owner of "mesh-1"/,
    );
    expect(half.stdout).not.toContain('clustermesh connect');
    const abort = new AbortController();
    const watched = await b(mesh('status', '--watch'), { signal: abort.signal, onOutput: () => abort.abort() });
    expect(watched.stdout).toContain('waits for the confirmation of the owner of "mesh-1"');
    const checked = await b(mesh('check', '--category', 'peers'));
    expect(checked.stdout).toContain('meshctl clustermesh accept --context mesh-2 confirmation.yaml');
    expect(parse(reply)).toMatchObject({ step: 'reply', answers: { cluster: 'mesh-1' } });
    await two.save('reply.yaml', reply);
    expect(good(await accept(b, 'invitation.yaml', '-y'))).toBe(reply);
  });

  it('refuse a reply that another cluster gets, and one that the guest reads itself', async () => {
    const third = found(two.owners['mesh-3'], 'mesh-3');
    expect(failureOf(await third(mesh('accept', 'reply.yaml', '-y'))).says).toContain(
      'the reply of "mesh-2" is not for this cluster, "mesh-3" (context "mesh-3"): it answers "mesh-1"',
    );
    expect(failureOf(await accept(b, 'reply.yaml', '-y')).says).toContain('the reply was made by this very cluster');
  });

  it('put everything back where the last write is refused', async () => {
    const before = two.clusters.objects();
    // The peer is noted before it is let in, and that the invitation is used comes last.
    let patches = 0;
    two.clusters.fault = async ({ verb, name = '' }) => {
      if (verb !== 'patch' || !name.startsWith('meshctl-invitation')) return undefined;
      patches += 1;
      if (patches === 2) throw new ApiError(403, 'Forbidden', 'not now');
      return undefined;
    };
    const failed = await accept(a, 'reply.yaml', '-y');
    two.clusters.fault = undefined;
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toContain('mesh-1: is as before');
    expect(Object.keys(two.clusters.objects()).sort()).toEqual(Object.keys(before).sort());
    const listed = jsonOf(await a(mesh('invitations', 'list', '-o', 'json')));
    expect(listed).toMatchObject({ invitations: [{ state: 'invited' }] });
    expect(JSON.stringify(listed)).not.toContain('mesh-2');
  });

  it('put everything back on Ctrl-C, and go on with the same message', async () => {
    const before = two.clusters.objects();
    const abort = new AbortController();
    const stopped = await a(mesh('accept', 'reply.yaml', '-y'), {
      signal: abort.signal,
      onOutput: (text) => text.includes('The peering files are written') && abort.abort(),
    });
    expect(stopped.exitCode).toBe(130);
    expect(stopped.stdout).toBe('');
    expect(two.clusters.objects()).toEqual(before);
  });

  it('are connected in the end, and each sees it with its own kubeconfig', async () => {
    const confirmation = good(await accept(a, 'reply.yaml', '-y'));
    await two.save('confirmation.yaml', confirmation);
    const half = jsonOf(await a(mesh('status', '-o', 'json')));
    expect(half).toMatchObject({ healthy: true, ofOthers: ['mesh-2'], invitations: [{ state: 'confirmed' }] });
    const seenByInviter = (await a(mesh('status'))).stdout;
    expect(seenByInviter).not.toContain('‼');
    expect(seenByInviter).toContain(
      'only their own status shows whether the owner of "mesh-2" has accepted the confirmation',
    );
    expect(parse(confirmation)).toMatchObject({ step: 'confirmation', answers: { cluster: 'mesh-2' } });
    const done = jsonOf(await accept(b, 'confirmation.yaml', '-o', 'json'));
    expect(done).toMatchObject({ kind: 'AcceptResult', user: 'remote-mesh-2', unproved: [], peer: { name: 'mesh-1' } });
    for (const owner of [a, b]) {
      const status = await owner(mesh('status', '--wait', '--wait-duration', '60s'));
      expect(status.stdout).toContain('All 1 nodes are connected to all clusters');
      expect(status.exitCode).toBe(0);
    }
  });

  it('keep no key of an invitation that is used, and take none of its messages again', async () => {
    const kept = ['mesh-1', 'mesh-2'].flatMap(secretsOf).filter(({ metadata }) => metadata.name.includes('invitation'));
    expect(kept.map((secret) => Object.keys(secretTexts(secret)))).toEqual([['record.json'], ['record.json']]);
    for (const [owner, file] of [
      [b, 'invitation.yaml'],
      [b, 'confirmation.yaml'],
    ] as const) {
      expect(failureOf(await accept(owner, file, '-y')).says).toMatch(
        /which has been used: cluster "mesh-1" is dialled/,
      );
    }
  });

  it('have never seen a key', () => {
    const all = seen.join('\n');
    expect(all).not.toContain('PRIVATE KEY');
    const lines = keyLines();
    expect(lines.length).toBeGreaterThan(50);
    expect(lines.filter((line) => all.includes(line))).toEqual([]);
  });

  it('get new certificates by another invitation', async () => {
    const certificate = () =>
      secretTexts(two.clusters.clusters[0]?.store.get(refs.secret('cilium-kvstoremesh')))['mesh-2.etcd-client.crt'];
    const before = certificate();
    const rotate = mesh('certs', 'rotate', '--peer', 'mesh-2');
    expect(good(await a([...rotate, '--older-than', '300d']))).toBe('✅ No certificate was due\n');
    expect(failureOf(await a([...rotate, '--cert-validity', '8760h']))).toMatchObject({
      exitCode: 2,
      says: expect.stringContaining('Leave --cert-validity out'),
    });
    await two.save('invitation.yaml', good(await a([...rotate, '--key-size', '3072'])));
    await two.save('reply.yaml', good(await accept(b, 'invitation.yaml')));
    await two.save('confirmation.yaml', good(await accept(a, 'reply.yaml')));
    good(await b(mesh('accept', '-'), { input: await readFile(join(two.folder, 'confirmation.yaml'), 'utf8') }));
    expect(certificate()).not.toBe(before);
    expect(new X509Certificate(certificate() ?? '').publicKey.asymmetricKeyDetails?.modulusLength).toBe(3072);
    const status = await a(mesh('status', '--wait', '--wait-duration', '60s'));
    expect(status.exitCode).toBe(0);
  });

  it('have a mesh file that names the other one, and finds nothing else', async () => {
    const exported = good(await a(['export', '--context', 'mesh-1']));
    expect(exported).toContain('external: [mesh-2]');
    const diff = await a(['diff', '-f', '-'], { input: exported });
    expect(diff).toMatchObject({ exitCode: 0, stdout: '✅ mesh-1 is as standard input says\n' });
  });

  it('see in a plan that cuts the other one how it comes back: by an invitation', async () => {
    const plan = await a(mesh('enable', '--service-type', 'NodePort', '--dry-run'));
    expect(plan.stdout).toContain('peer mesh-2');
    expect(plan.stdout).toContain('meshctl clustermesh invite --context mesh-1 --peer mesh-2');
    expect(plan.stdout).not.toContain('<context');
    const leaving = await a(mesh('disable', '--disconnect=false', '--dry-run'));
    expect(leaving.stderr).toContain(
      'have the owner of "mesh-2" run "clustermesh disconnect --peer mesh-1" in their cluster',
    );
    expect(leaving.stdout + leaving.stderr).not.toContain('<context');
    // A kubeconfig that leads there is not to be had.
    const refused = failureOf(await a(mesh('disable', '-y')));
    expect(refused.exitCode).toBe(2);
    expect(refused.says.replaceAll(/\s+/g, ' ')).toContain(
      '→ Have the owner of "mesh-2" run "clustermesh disconnect --peer mesh-1" in their cluster, or leave it as it is: meshctl clustermesh disable --disconnect=false --yes',
    );
  });

  it('are told how a CA is replaced: the other owner is invited anew', async () => {
    const refused = failureOf(await a(mesh('certs', 'rotate', '--ca', '-y')));
    expect(refused.exitCode).toBe(2);
    expect(refused.says).not.toContain('<context');
    expect(refused.says).toContain(
      'clustermesh disconnect --context mesh-1 --peer mesh-2 && meshctl clustermesh certs rotate --context mesh-1 --ca && meshctl clustermesh invite --context mesh-1 --peer mesh-2',
    );
  });

  it('clear an invitation away that was used when it has expired, and leave one that was not for its owner to revoke', async () => {
    const kept = () => secretsOf('mesh-1').filter(({ metadata }) => metadata.labels?.['meshctl.io/invitation']);
    good(await a(mesh('invite')));
    const before = kept();
    for (const secret of before) {
      const record = JSON.parse(found(secretTexts(secret)['record.json'], 'the record')) as object;
      const text = JSON.stringify({ ...record, expires: '2020-01-01T00:00:00.000Z' });
      setSecret(found(two.clusters.clusters[0], 'mesh-1'), secret.metadata.name, { 'record.json': text });
    }
    good(await a(mesh('invite')));
    const { invitations } = jsonOf(await a(mesh('invitations', 'list', '-o', 'json'))) as {
      invitations: { id: string; state: string; next?: string }[];
    };
    expect(invitations.map(({ state }) => state).sort()).toEqual(['expired', 'invited']);
    const expired = invitations.find(({ state }) => state === 'expired');
    expect(expired?.next).toBe(`meshctl clustermesh invitations revoke --context mesh-1 ${expired?.id}`);
  });

  it('are told to invite anew where the other one has shut this cluster out', async () => {
    setUsers(found(two.clusters.clusters[1], 'mesh-2'), []);
    const invite = 'meshctl clustermesh invite --context mesh-1 --peer mesh-2';
    const status = await eventually(
      () => a(mesh('status')),
      ({ exitCode }) => exitCode === 1,
      'a status that tells of it',
    );
    const parted = 'meshctl clustermesh disconnect --context mesh-1 --peer mesh-2';
    expect(status.stdout.replaceAll(/\s+/g, ' ')).toContain(`${invite} or if they have parted: ${parted}`);
    expect(status.stdout).not.toContain('clustermesh connect');
    const check = await a(mesh('check'));
    expect(check.exitCode).toBe(1);
    expect(check.stdout.replaceAll(/\s+/g, ' ')).toContain(`or if they have parted: ${parted}`);
    expect(check.stdout).not.toMatch(/firewall|<context/);
  });

  it('can part alone', async () => {
    const parted = await a(mesh('disconnect', '--peer', 'mesh-2', '-y'));
    expect(parted.exitCode).toBe(0);
    const status = await a(mesh('status'));
    expect(status.stdout).not.toContain('mesh-2');
    const left = await eventually(
      () => b(mesh('check')),
      ({ stdout }) => stdout.includes('clustermesh disconnect'),
      'a check of the other one that tells of it',
    );
    expect(left.stdout.replaceAll(/\s+/g, ' ')).toMatch(
      /or if they have parted: meshctl clustermesh disconnect --context \S+ --peer mesh-1/,
    );
    expect(left.stdout).not.toMatch(/firewall|<context/);
  });
});
