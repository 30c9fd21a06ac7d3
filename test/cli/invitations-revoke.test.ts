import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { secretTexts } from '../../src/mesh/objects/secret-data.ts';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { type CliResult, failureOf, jsonOf } from '../support/cli.ts';
import { found, refs } from '../support/sandbox-mesh.ts';
import { good, mesh, type Owner, startTwoOwners, type TwoOwners } from '../support/two-owners.ts';

let two: TwoOwners;
let a: Owner;
let b: Owner;

beforeAll(async () => {
  two = await startTwoOwners(2);
  [a, b] = [found(two.owners['mesh-1'], 'mesh-1'), found(two.owners['mesh-2'], 'mesh-2')];
});
afterAll(() => two?.close());

const accept = (owner: Owner, file: string, ...words: string[]) =>
  owner(mesh('accept', file, '-y', '--wait-duration', '20s', ...words));

/** Carries the first messages of an invitation to and fro. @returns its id */
async function carry(messages: number): Promise<string> {
  await two.save('invitation.yaml', good(await a(mesh('invite'))));
  if (messages > 1) await two.save('reply.yaml', good(await accept(b, 'invitation.yaml')));
  if (messages > 2) await two.save('confirmation.yaml', good(await accept(a, 'reply.yaml')));
  if (messages > 3) good(await accept(b, 'confirmation.yaml'));
  const { invitations } = jsonOf(await a(mesh('invitations', 'list', '-o', 'json')));
  return found((invitations as { id: string }[]).at(-1)?.id, 'an invitation');
}

/** Whom a cluster lets in, and whom it dials. */
function standsIn(owner: 'mesh-1' | 'mesh-2') {
  const { store } = found(
    two.clusters.clusters.find(({ name }) => name === owner),
    owner,
  );
  const users = JSON.stringify(store.get(refs.configMap('clustermesh-remote-users'))?.data ?? {});
  const files = Object.keys(secretTexts(store.get(refs.secret('cilium-clustermesh'))));
  const peer = owner === 'mesh-1' ? 'mesh-2' : 'mesh-1';
  return { letsIn: users.includes(`remote-${peer}`), dials: files.includes(peer) };
}

interface Case {
  state: string;
  by: 'mesh-1' | 'mesh-2';
  messages: number;
  /** Whether the other one loses what it had, so that it is asked about. */
  cuts: boolean;
  /** A message of it afterwards, and what is said of that. */
  after: ['mesh-1' | 'mesh-2', string, string];
}

const GONE = 'has no invitation';
const REVOKED = 'which was revoked here';

it('is not revoked where nobody can be shut out: the list of users is gone, and what is printed mends', async () => {
  const id = await carry(4);
  const { store } = found(two.clusters.clusters[0], 'mesh-1');
  // What requests lose by it is in the plan, as far as this owner can see it.
  const web = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'web' };
  store.create({
    ...{ apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port: 80 }] } },
    metadata: { name: 'web', namespace: 'default', annotations: { 'service.cilium.io/global': 'true' } },
  } as KubeObject);
  expect((await a(mesh('invitations', 'revoke', id, '--dry-run'))).stdout).toContain(
    '! requests from mesh-1 for default/web fail: only mesh-2, which was not read, may have backends for them',
  );
  store.delete(web);
  store.delete(refs.configMap('clustermesh-remote-users'));
  const revoke = mesh('invitations', 'revoke', id, '-y');
  expect(failureOf(await a(revoke))).toEqual({
    exitCode: 1,
    says: expect.stringMatching(/so no peer can be shut out\n {2}→ meshctl clustermesh enable --context mesh-1\n$/),
  });
  good(await a(mesh('enable', '--context', 'mesh-1', '-y')));
  good(await a(revoke));
  expect(standsIn('mesh-1').letsIn).toBe(false);
  good(await b(mesh('disconnect', '--context', 'mesh-2', '--peer', 'mesh-1', '-y')));
});

describe('an invitation is revoked', () => {
  it.each<Case>([
    { state: 'invited', by: 'mesh-1', messages: 1, cuts: false, after: ['mesh-1', 'reply.yaml', GONE] },
    { state: 'accepted', by: 'mesh-1', messages: 2, cuts: false, after: ['mesh-1', 'reply.yaml', GONE] },
    { state: 'accepted', by: 'mesh-2', messages: 2, cuts: true, after: ['mesh-2', 'invitation.yaml', REVOKED] },
    { state: 'confirmed', by: 'mesh-1', messages: 3, cuts: true, after: ['mesh-1', 'reply.yaml', GONE] },
    { state: 'confirmed', by: 'mesh-2', messages: 3, cuts: true, after: ['mesh-2', 'confirmation.yaml', REVOKED] },
    { state: 'joined', by: 'mesh-1', messages: 4, cuts: true, after: ['mesh-1', 'reply.yaml', GONE] },
    { state: 'joined', by: 'mesh-2', messages: 4, cuts: true, after: ['mesh-2', 'invitation.yaml', REVOKED] },
  ])('$state, by $by', async ({ by, messages, cuts, after }) => {
    const owner = by === 'mesh-1' ? a : b;
    const peer = by === 'mesh-1' ? 'mesh-2' : 'mesh-1';
    const id = await carry(messages);
    const revoke = mesh('invitations', 'revoke', id);
    const plan = await owner([...revoke, '--dry-run']);
    expect(plan.stdout.includes(`${peer} is cut off`)).toBe(cuts);
    if (cuts) {
      const unasked = failureOf(await owner(revoke));
      expect(unasked).toMatchObject({ exitCode: 2, says: expect.stringContaining(peer) });
    }
    const done = await owner([...revoke, ...(cuts ? ['-y'] : [])]);
    expect(done.exitCode).toBe(0);
    expect(done.stdout.includes(`${peer} is no longer let in`)).toBe(cuts);
    expect(standsIn(by)).toEqual({ letsIn: false, dials: false });
    // Of the invitation a guest keeps that it takes it no more; of its key nothing is left.
    const kept = found(
      two.clusters.clusters.find(({ name }) => name === by),
      by,
    ).store.get(refs.secret(`meshctl-invitation-${id}`));
    expect(Object.keys(secretTexts(kept))).toEqual(by === 'mesh-2' ? ['record.json'] : []);
    if (messages === 1) await two.save('reply.yaml', good(await accept(b, 'invitation.yaml')));
    const [whose, file, says] = after;
    expect(failureOf(await accept(whose === 'mesh-1' ? a : b, file)).says).toContain(says);
    expect(standsIn(by)).toEqual({ letsIn: false, dials: false });
    if (by === 'mesh-2') {
      expect((await b(mesh('invitations', 'list'))).stdout).toMatch(new RegExp(`${id} .* revoked`));
      expect((await b([...revoke, '--dry-run'])).stdout).toContain('it is revoked, and that is kept until it expires');
    }
    for (const [one, other] of [[a, 'mesh-2'] as const, [b, 'mesh-1'] as const]) {
      await one(mesh('disconnect', '--peer', other, '-y'));
    }
  });
});

describe('an invitation that is accepted while it is revoked', () => {
  it.each([
    { by: 'mesh-1', messages: 2, file: 'reply.yaml', verb: 'delete' },
    { by: 'mesh-2', messages: 3, file: 'confirmation.yaml', verb: 'patch' },
  ] as const)('by $by is not revoked halfway', async ({ by, messages, file, verb }) => {
    const owner = by === 'mesh-1' ? a : b;
    const id = await carry(messages);
    let accepted: CliResult | undefined;
    two.clusters.fault = async ({ context, verb: asked, name = '' }) => {
      if (context !== by || asked !== verb || !name.startsWith('meshctl-invitation-')) return undefined;
      two.clusters.fault = undefined;
      accepted = await accept(owner, file);
      return undefined;
    };
    const revoked = await owner(mesh('invitations', 'revoke', id, '-y'));
    two.clusters.fault = undefined;
    expect(found(accepted, 'the other run').exitCode).toBe(0);
    expect(revoked.exitCode).toBe(1);
    expect(revoked.stderr).toContain('Someone else');
    expect(standsIn(by)).toEqual({ letsIn: true, dials: true });
    good(await owner(mesh('invitations', 'revoke', id, '-y')));
    expect(standsIn(by)).toEqual({ letsIn: false, dials: false });
    for (const [one, other] of [[a, 'mesh-2'] as const, [b, 'mesh-1'] as const]) {
      await one(mesh('disconnect', '--peer', other, '-y'));
    }
  });
});

describe('whether an etcd has lost the user', () => {
  it('is seen, or said not to have been seen', async () => {
    const id = await carry(3);
    two.clusters.fault = async ({ subresource }) => {
      if (subresource === 'portforward') throw new ApiError(403, 'Forbidden', 'not now');
      return undefined;
    };
    const unseen = await a(mesh('invitations', 'revoke', id, '-y'));
    two.clusters.fault = undefined;
    expect(unseen.exitCode).toBe(3);
    expect(unseen.stderr).toContain(
      'context "mesh-1": whether its etcd still lets "mesh-2" in could not be verified: none could be asked',
    );
    expect(unseen.stderr).not.toContain('✔ The peers are shut out and forgotten');
    expect(standsIn('mesh-1')).toEqual({ letsIn: false, dials: false });
  });
});
