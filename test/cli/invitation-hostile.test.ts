import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { failureOf, jsonOf } from '../support/cli.ts';
import { found, refs } from '../support/sandbox-mesh.ts';
import { good, mesh, type Owner, startTwoOwners, type TwoOwners } from '../support/two-owners.ts';

let two: TwoOwners;
let a: Owner;
let b: Owner;
let c: Owner;

beforeAll(async () => {
  two = await startTwoOwners(3);
  [a, b, c] = ['mesh-1', 'mesh-2', 'mesh-3'].map((name) => found(two.owners[name], name)) as [Owner, Owner, Owner];
});
afterAll(() => two?.close());

const accept = (owner: Owner, file: string, ...words: string[]) => owner(mesh('accept', file, '-y', ...words));

const clusterOf = (name: string) =>
  found(
    two.clusters.clusters.find((one) => one.name === name),
    name,
  );
const usersOf = (name: string) =>
  JSON.stringify(clusterOf(name).store.get(refs.configMap('clustermesh-remote-users'))?.data);
const filesOf = (name: string) =>
  Object.keys(secretTexts(clusterOf(name).store.get(refs.secret('cilium-clustermesh')))).filter((key) =>
    key.startsWith('mesh-'),
  );

function rename(name: string, to: string) {
  clusterOf(name).store.update(refs.configMap('cilium-config'), (object) => {
    object.data = { ...(object.data as object), 'cluster-name': to };
  });
}

describe('a message that is accepted twice at once', () => {
  /** @returns what was printed by those that went well; what went wrong says why */
  async function twice(owner: Owner, file: string): Promise<string[]> {
    const results = await Promise.all([accept(owner, file), accept(owner, file)]);
    for (const { exitCode, stderr } of results) {
      if (exitCode !== 0)
        expect(stderr, stderr).toMatch(
          /exists already|someone else|changed|used|another accept of this message is still running/,
        );
      expect(stderr).not.toContain('not as before');
    }
    const accepted = results.filter(({ exitCode }) => exitCode === 0).map(({ stdout }) => stdout);
    // One may have taken back what the other stood on: then nothing is left of both, and whoever is next is alone.
    return accepted.length > 0 ? accepted : [good(await accept(owner, file))];
  }

  it('is accepted by one of both or by the next, and what that has written stays', async () => {
    await two.save('invitation.yaml', good(await a(mesh('invite'))));
    const replies = await twice(b, 'invitation.yaml');
    expect(new Set(replies).size).toBe(1);
    expect(usersOf('mesh-2')).toContain('remote-mesh-1');
    await two.save('reply.yaml', found(replies[0], 'a reply'));
    expect(good(await accept(b, 'invitation.yaml'))).toBe(replies[0]);

    const confirmations = await twice(a, 'reply.yaml');
    expect(new Set(confirmations).size).toBe(1);
    expect(filesOf('mesh-1')).toEqual(['mesh-2']);
    expect(usersOf('mesh-1')).toContain('remote-mesh-2');
    await two.save('confirmation.yaml', found(confirmations[0], 'a confirmation'));

    await twice(b, 'confirmation.yaml');
    expect(filesOf('mesh-2')).toEqual(['mesh-1']);
    for (const owner of [a, b]) good(await owner(mesh('status', '--wait', '--wait-duration', '60s')));
  });
});

describe('clusters that are renamed between the messages', () => {
  it('are told so, and go on under the name that the messages have', async () => {
    await two.save('invitation.yaml', good(await a(mesh('invite'))));
    await two.save('reply.yaml', good(await accept(c, 'invitation.yaml')));
    rename('mesh-1', 'mesh-9');
    expect(failureOf(await accept(a, 'reply.yaml')).says).toContain(
      'this cluster was named "mesh-1" when it took part, and is "mesh-9" now',
    );
    rename('mesh-1', 'mesh-1');
    await two.save('confirmation.yaml', good(await accept(a, 'reply.yaml')));
    rename('mesh-3', 'mesh-8');
    for (const file of ['invitation.yaml', 'confirmation.yaml']) {
      expect(failureOf(await accept(c, file)).says).toContain('this cluster was named "mesh-3" when it');
    }
    expect(usersOf('mesh-3')).not.toContain('mesh-9');
    rename('mesh-3', 'mesh-3');
    good(await accept(c, 'confirmation.yaml'));
  });
});

describe('a cluster that takes the name of the one that is invited', () => {
  it('gets nowhere: it does not answer under that name', async () => {
    await two.save('invitation.yaml', good(await a(mesh('invite', '--peer', 'mesh-8'))));
    // It takes the name for as long as it takes to reply.
    rename('mesh-3', 'mesh-8');
    expect(failureOf(await accept(c, 'invitation.yaml', '--no-proof')).says).toContain('runs as "mesh-3"');
    good(await c(mesh('enable', '-y')));
    const reply = good(await accept(c, 'invitation.yaml', '--no-proof'));
    rename('mesh-3', 'mesh-3');
    good(await c(mesh('enable', '-y')));
    await two.save('reply.yaml', reply);
    const before = two.clusters.objects();
    expect((await accept(a, 'reply.yaml', '--wait-duration', '3s')).exitCode).toBe(1);
    expect(two.clusters.objects()).toEqual(before);
  });
});

describe('an address that changes between the messages', () => {
  const endpointsIn = (text: string) => (parse(text) as { cluster: { endpoints: string[] } }).cluster.endpoints;
  const takeNodePort = async (owner: Owner) => good(await owner(mesh('enable', '--service-type', 'NodePort', '-y')));

  it('of the inviter is in the confirmation', async () => {
    for (const peer of ['mesh-2', 'mesh-3']) good(await a(mesh('disconnect', '--peer', peer, '-y')));
    good(await c(mesh('disconnect', '--peer', 'mesh-1', '-y')));
    const invitation = good(await a(mesh('invite')));
    await two.save('invitation.yaml', invitation);
    await two.save('reply.yaml', good(await accept(c, 'invitation.yaml')));
    await takeNodePort(a);
    const confirmation = good(await accept(a, 'reply.yaml'));
    expect(endpointsIn(confirmation)).not.toEqual(endpointsIn(invitation));
    await two.save('confirmation.yaml', confirmation);
    good(await accept(c, 'confirmation.yaml'));
  });

  it('of the guest is in the reply that the same invitation gives then', async () => {
    await two.save('invitation.yaml', good(await a(mesh('invite'))));
    const reply = good(await accept(b, 'invitation.yaml'));
    await two.save('reply.yaml', reply);
    await takeNodePort(b);
    const failed = await accept(a, 'reply.yaml', '--wait-duration', '3s');
    expect(failed.stderr).toContain('mesh-1 does not get through to "mesh-2"');
    const anew = good(await accept(b, 'invitation.yaml'));
    expect(endpointsIn(anew)).not.toEqual(endpointsIn(reply));
    await two.save('reply.yaml', anew);
    await two.save('confirmation.yaml', good(await accept(a, 'reply.yaml')));
    // Told again meanwhile: what a has accepted is an answer of b all the same.
    const later = good(await accept(b, 'invitation.yaml', '--endpoint', 'b.example.com:2379', '--no-proof'));
    expect(endpointsIn(later)).toEqual(['b.example.com:2379']);
    const elsewhere = good(await accept(a, 'reply.yaml', '--endpoint', 'mesh.example.com:2379'));
    expect(endpointsIn(elsewhere)).toEqual(['mesh.example.com:2379']);
    good(await accept(b, 'confirmation.yaml'));
  });

  it('stays as it was chosen when the connection is renewed', async () => {
    const chosen = ['mesh.example.com:2379'];
    const invite = (...words: string[]) => a(mesh('invite', '--peer', 'mesh-2', ...words));
    await two.save('invitation.yaml', good(await invite('--endpoint', ...chosen)));
    await two.save('reply.yaml', good(await accept(b, 'invitation.yaml', '--no-proof')));
    await two.save('confirmation.yaml', good(await accept(a, 'reply.yaml', '--no-proof')));
    good(await accept(b, 'confirmation.yaml', '--no-proof'));
    expect(endpointsIn(good(await invite()))).toEqual(chosen);
    await two.save('theirs.yaml', good(await b(mesh('invite', '--peer', 'mesh-1'))));
    expect(endpointsIn(good(await accept(a, 'theirs.yaml', '--no-proof')))).toEqual(chosen);
  });
});

describe('a CA that is replaced between the messages', () => {
  const rotate = (owner: Owner) => owner(mesh('certs', 'rotate', '--ca', '-y'));
  const refusesToRotate = async (owner: Owner, peer: string) => {
    const { exitCode, says } = failureOf(await rotate(owner));
    expect(exitCode).toBe(2);
    expect(says).toContain(`clustermesh invite --context`);
    expect(says).toContain(`--peer ${peer}`);
    expect(says).not.toContain('<context');
  };

  it('ends an invitation that nobody has answered, and is refused as soon as somebody trusts it', async () => {
    for (const [owner, peers] of [
      [a, ['mesh-2', 'mesh-3']],
      [b, ['mesh-1']],
      [c, ['mesh-1']],
    ] as const) {
      for (const peer of peers) good(await owner(mesh('disconnect', '--peer', peer, '-y')));
    }
    await two.save('invitation.yaml', good(await a(mesh('invite'))));
    const rotated = await rotate(a);
    good(rotated);
    expect(rotated.stderr).toMatch(
      /⚠ context "mesh-1": invitation [0-9a-f]{24} was signed by the present CA, and no answer to it is accepted once that is replaced\n.*clustermesh invite --context mesh-1/,
    );
    await two.save('reply.yaml', good(await accept(c, 'invitation.yaml')));
    expect(failureOf(await accept(a, 'reply.yaml')).says).toContain('the CA was replaced meanwhile');
    await refusesToRotate(c, 'mesh-1');
    // The new CA is nobody's that is known here: what is let in by the old one goes first.
    await two.save('invitation.yaml', good(await a(mesh('invite'))));
    const stranger = failureOf(await accept(c, 'invitation.yaml')).says;
    expect(stranger).toContain('lets a cluster "mesh-1" in already, and nothing here shows that it is this one');
    expect(stranger).toContain('meshctl clustermesh disconnect --context mesh-3 --peer mesh-1');
    good(await c(mesh('disconnect', '--peer', 'mesh-1', '-y')));
    await two.save('reply.yaml', good(await accept(c, 'invitation.yaml')));
    await two.save('confirmation.yaml', good(await accept(a, 'reply.yaml')));
    await refusesToRotate(a, 'mesh-3');
    await refusesToRotate(c, 'mesh-1');
    good(await accept(c, 'confirmation.yaml'));
    await refusesToRotate(c, 'mesh-1');
  });
});

describe('an accept that ends between letting the peer in and writing down that it is done', () => {
  const revoke = async (owner: Owner) => {
    const { invitations } = jsonOf(await owner(mesh('invitations', 'list', '-o', 'json')));
    for (const { id } of invitations as { id: string }[]) await owner(mesh('invitations', 'revoke', id, '-y'));
  };
  beforeEach(async () => {
    for (const owner of [a, b, c]) await revoke(owner);
    await two.save('invitation.yaml', good(await a(mesh('invite'))));
    for (const owner of [b, c]) {
      await two.save(
        `reply-${owner === b ? 'b' : 'c'}.yaml`,
        good(await accept(owner, 'invitation.yaml', '--no-proof')),
      );
    }
  });
  afterEach(async () => {
    for (const owner of [a, b, c]) await revoke(owner);
  });

  /** Ends as soon as the peer is let in, and takes nothing back. */
  async function endEarly(): Promise<void> {
    const end = new AbortController();
    const unsubscribe = clusterOf('mesh-1').store.subscribe(({ object }) => {
      if (object.metadata.name === 'clustermesh-remote-users') end.abort();
    });
    const ended = await a(mesh('accept', 'reply-b.yaml', '-y', '--no-rollback'), { signal: end.signal });
    unsubscribe();
    expect(ended.exitCode, ended.stderr).toBe(130);
    expect(usersOf('mesh-1')).toContain('remote-mesh-2');
    expect(filesOf('mesh-1')).toEqual([]);
  }

  it('goes on when it is run again, and then takes no other reply', async () => {
    await endEarly();
    expect(good(await a(mesh('invitations', 'list')))).toMatch(
      /mesh-2 +inviter +invited [\s\S]+waits for you to finish accepting the reply/,
    );
    // Whoever else got hold of the invitation does not come in its place.
    const { exitCode, says } = failureOf(await accept(a, 'reply-c.yaml'));
    expect(exitCode).toBe(1);
    expect(says).toContain('the reply of "mesh-3" comes too late: the one of "mesh-2"');
    expect(usersOf('mesh-1')).not.toContain('remote-mesh-3');
    await two.save('confirmation.yaml', good(await accept(a, 'reply-b.yaml')));
    expect(filesOf('mesh-1')).toEqual(['mesh-2']);
    good(await accept(b, 'confirmation.yaml'));
    expect(failureOf(await accept(a, 'reply-c.yaml')).says).toContain('which has been used');
  });

  it('is taken back by revoking the invitation', async () => {
    await endEarly();
    await revoke(a);
    expect(usersOf('mesh-1')).not.toContain('remote-mesh-2');
    for (const file of ['reply-b.yaml', 'reply-c.yaml']) {
      expect(failureOf(await accept(a, file)).says).toContain('has no invitation');
    }
  });
});
