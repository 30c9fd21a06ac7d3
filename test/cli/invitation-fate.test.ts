import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SERVER_CERT_SECRET } from '../../src/mesh/objects/names.ts';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { failureOf, jsonOf } from '../support/cli.ts';
import { showClock } from '../support/in-process-api.ts';
import { clusterAt, found, refs, setSecret } from '../support/sandbox-mesh.ts';
import { good, mesh, type Owner, startTwoOwners, type TwoOwners } from '../support/two-owners.ts';

let two: TwoOwners;
let a: Owner;
let b: Owner;

beforeAll(async () => {
  two = await startTwoOwners();
  [a, b] = ['mesh-1', 'mesh-2'].map((name) => found(two.owners[name], name)) as [Owner, Owner];
});
afterAll(() => two?.close());

const accept = (owner: Owner, file: string, ...words: string[]) => owner(mesh('accept', file, ...words));

describe('an invitation', () => {
  const id = async (owner: Owner): Promise<string> => {
    const { invitations } = jsonOf(await owner(mesh('invitations', 'list', '-o', 'json')));
    return String((invitations as { id: string; state: string }[]).findLast(({ state }) => state !== 'joined')?.id);
  };
  it('that cannot be read is told by its id, taken no message of, and ended by what is printed', async () => {
    await two.save('invitation.yaml', good(await a(mesh('invite'))));
    await two.save('reply.yaml', good(await accept(b, 'invitation.yaml', '-y')));
    const own = await id(a);
    setSecret(clusterAt(two.clusters, 'mesh-1'), `meshctl-invitation-${own}`, {
      'record.json': '{"state":"answered"}',
    });
    setSecret(clusterAt(two.clusters, 'mesh-2'), `meshctl-invitation-${own}`, { 'record.json': '{' });
    const says = `invitation ${own} cannot be read: its Secret was changed, or is of a later meshctl`;
    const revoke = `meshctl clustermesh invitations revoke --context mesh-1 ${own}`;
    for (const argv of [mesh('invitations', 'list'), mesh('status')]) {
      const listed = await a(argv);
      expect(listed).toMatchObject({ exitCode: 1, stdout: expect.stringContaining(says) });
      expect(listed.stdout).toContain(revoke);
    }
    expect((await a(mesh('certs', 'rotate', '--ca', '--dry-run'))).stderr).toContain(`→ to end it: ${revoke}`);
    const refused = failureOf(await accept(a, 'reply.yaml', '-y'));
    expect(refused.says).toContain(`what is kept of invitation ${own} here cannot be read`);
    good(await a([...revoke.split(' ').slice(1)]));
    expect((await a(mesh('invitations', 'list', '-o', 'name'))).stdout).not.toContain(own);
    // Whom it has let in only the list of users tells.
    const ended = await b(mesh('invitations', 'revoke', own));
    expect(ended.exitCode).toBe(0);
    const part = /it may be mesh-1\n.*: meshctl (.*)$/m.exec(ended.stderr)?.[1];
    expect(good(await b([...(part ?? '').split(' '), '-y']))).toContain('mesh-1');
  });

  it('is for the cluster that it names', async () => {
    await two.save('invitation.yaml', good(await a(mesh('invite', '--peer', 'mesh-9'))));
    expect(failureOf(await accept(b, 'invitation.yaml', '-y')).says).toContain(
      'the invitation of "mesh-1" is not for this cluster, "mesh-2" (context "mesh-2"): it invites "mesh-9"',
    );
  });

  it('is not for the cluster that makes it', async () => {
    const refused = failureOf(await a(mesh('invite', '--peer', 'mesh-1')));
    expect(refused).toMatchObject({ exitCode: 2 });
    expect(refused.says).toContain('context "mesh-1" is cluster "mesh-1" itself');
  });

  it('is listed with what it waits for, and gone when it is revoked', async () => {
    const listed = await a(mesh('invitations', 'list'));
    const own = await id(a);
    expect(listed.stdout).toContain(`mesh-1: invitation ${own} waits for the reply of the owner of "mesh-9"`);
    expect(listed.stdout).toContain('meshctl clustermesh accept --context mesh-1 reply.yaml');
    const rows = await a(mesh('invitations', 'list', '--no-headers'));
    expect(rows.stdout).toMatch(new RegExp(`^mesh-1 +${own} `, 'm'));
    expect(rows.stdout).not.toMatch(/CONTEXT|waits for/);
    expect(rows.stderr).toContain(`mesh-1: invitation ${own} waits for the reply of the owner of "mesh-9"`);
    const names = await a(mesh('invitations', 'list', '-o', 'name'));
    expect(names.stdout.split('\n')).toContain(own);
    expect(names.stdout).toMatch(/^([0-9a-f-]+\n)+$/);
    expect(failureOf(await a(mesh('invitations', 'revoke', 'nothing'))).says).toContain('has no invitation nothing');
    const revoked = jsonOf(await a(mesh('invitations', 'revoke', own.slice(0, 8), '-o', 'json')));
    expect(revoked).toMatchObject({ id: own });
    expect(await id(a)).not.toBe(own);
  });

  it('that the inviter revoked after all messages is told by who is refused, and ends here too by what is printed', async () => {
    await two.save('invitation.yaml', good(await a(mesh('invite'))));
    await two.save('reply.yaml', good(await accept(b, 'invitation.yaml', '-y')));
    await two.save('confirmation.yaml', good(await accept(a, 'reply.yaml', '-y')));
    good(await a(mesh('invitations', 'revoke', await id(a), '-y')));
    const failed = await accept(b, 'confirmation.yaml', '-y', '--wait-duration', '3s');
    expect(failed.exitCode).toBe(1);
    const printed = /they have revoked [\s\S]*meshctl (clustermesh invitations revoke .*)$/m.exec(failed.stderr)?.[1];
    // What stays has used the message up, so that it is not taken again.
    const left = await accept(b, 'confirmation.yaml', '-y', '--wait-duration', '1s', '--no-rollback');
    expect(left.stderr).toContain('→ to undo them: meshctl clustermesh disconnect --context mesh-2 --peer mesh-1');
    expect(left.stderr).toMatch(
      /If not, see whether it is connected by then:\s+meshctl clustermesh status --context mesh-2 --wait/,
    );
    good(await b([...(printed ?? '').split(' '), '-y']));
    expect((await b(mesh('status'))).stdout).not.toContain('invitation');
  });

  it('leaves nothing behind where its address leads nowhere, and shuts out whom it let in when it is revoked', async () => {
    await two.save('invitation.yaml', good(await a(mesh('invite'))));
    await two.save('reply.yaml', good(await accept(b, 'invitation.yaml', '-y', '--endpoint', '203.0.113.9:2379')));
    const before = two.clusters.objects();
    const failed = await accept(a, 'reply.yaml', '-y', '--wait-duration', '3s');
    expect(failed.exitCode).toBe(1);
    expect(failed.stderr).toContain('mesh-1 does not get through to "mesh-2" at 203.0.113.9:2379');
    expect(failed.stderr).toContain('mesh-1: is as before');
    expect(two.clusters.objects()).toEqual(before);
    const revoke = mesh('invitations', 'revoke', await id(b));
    expect(failureOf(await b(revoke)).says).toContain('confirmation needed');
    const revoked = await b([...revoke, '-y']);
    expect(revoked.stdout).toContain('mesh-1 is no longer let in');
    expect(failureOf(await accept(b, 'reply.yaml', '-y')).says).toContain('was made by this very cluster');
  });

  it('that was revoked is answered by nobody', async () => {
    await two.save('invitation.yaml', good(await a(mesh('invite'))));
    const unproved = await accept(b, 'invitation.yaml', '-y', '--no-proof');
    expect(unproved.stderr).toContain('context "mesh-2": nothing was proved (--no-proof)');
    await two.save('reply.yaml', good(unproved));
    const revoked = await a(mesh('invitations', 'revoke', await id(a)));
    good(revoked);
    expect(revoked.stderr).not.toContain('peers');
    expect(failureOf(await accept(a, 'reply.yaml', '-y')).says).toMatch(
      /has no invitation [0-9a-f]{24}: it was revoked/,
    );
  });

  it('that has expired is accepted by nobody, whatever its step, and is for its owner to revoke', async () => {
    const lapsed = { now: () => new Date(Date.now() + 25 * 3_600_000) };
    const showAll = (aheadMs: number) => {
      for (const { url } of two.clusters.clusters) showClock(url, aheadMs);
    };
    await two.save('invitation.yaml', good(await a(mesh('invite'))));
    await two.save('reply.yaml', good(await accept(b, 'invitation.yaml', '-y')));
    const before = two.clusters.objects();
    showAll(25 * 3_600_000);
    for (const [owner, file, step] of [
      [b, 'invitation.yaml', 'invitation of "mesh-1"'],
      [a, 'reply.yaml', 'reply of "mesh-2"'],
    ] as const) {
      const refused = failureOf(await owner(mesh('accept', file, '-y'), lapsed));
      expect(refused.exitCode).toBe(1);
      expect(refused.says).toContain(`the ${step} expired at `);
    }
    expect(two.clusters.objects()).toEqual(before);
    const own = await id(a);
    for (const argv of [mesh('status'), mesh('invitations', 'list')]) {
      const { stdout } = await a(argv, lapsed);
      expect(stdout).toContain(`invitation ${own} has expired`);
      expect(stdout).toContain(`meshctl clustermesh invitations revoke --context mesh-1 ${own}`);
    }
    good(await a(mesh('invitations', 'revoke', own), lapsed));
    good(await b(mesh('invitations', 'revoke', own, '-y'), lapsed));
    showAll(0);
    for (const owner of [a, b]) {
      expect((await owner(mesh('invitations', 'list', '-o', 'json'))).stdout).not.toContain(own);
    }
  });

  it('is neither made nor accepted in the middle of a rotation of the CA, which could not be finished then', async () => {
    await two.save('invitation.yaml', good(await b(mesh('invite'))));
    const trusted = ['mesh-1', 'mesh-2'].map(
      (name) => secretTexts(clusterAt(two.clusters, name).store.get(refs.secret(SERVER_CERT_SECRET)))['ca.crt'],
    );
    setSecret(clusterAt(two.clusters, 'mesh-1'), SERVER_CERT_SECRET, { 'ca.crt': trusted.join('') });
    for (const argv of [mesh('invite'), mesh('accept', 'invitation.yaml', '-y')]) {
      const refused = failureOf(await a(argv));
      expect(refused.says).toMatch(/a rotation of the CA is unfinished.*: it is in phase \d of 5/);
      expect(refused.says).toMatch(/meshctl clustermesh certs rotate --context mesh-1$/m);
    }
  });
});
