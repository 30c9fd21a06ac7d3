/** What status says of an invitation that two owners used, once their clusters are connected otherwise. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { found } from '../support/sandbox-mesh.ts';
import { good, mesh, startTwoOwners, type TwoOwners } from '../support/two-owners.ts';

let two: TwoOwners;

beforeAll(async () => {
  two = await startTwoOwners();
});
afterAll(() => two?.close());

it('an invitation that was never answered is history once its peer has come by a later one', async () => {
  const a = found(two.owners['mesh-1'], 'mesh-1');
  const b = found(two.owners['mesh-2'], 'mesh-2');
  const said = good(await a(mesh('invite', '--peer', 'mesh-2')));
  const [, until = ''] = /It is good until (\d{4}-\d\d-\d\dT\d\d:\d\dZ), once/.exec(said) ?? [];
  const waits = `waits for the reply of the owner of "mesh-2" (until ${until})`;
  expect((await a(mesh('status'))).stdout).toContain(waits);
  expect(good(await a(mesh('invitations', 'list')))).toMatch(new RegExp(`mesh-2 +inviter +invited +${until}`));
  await two.save('invitation.yaml', good(await a(mesh('invite'))));
  await two.save('reply.yaml', good(await b(mesh('accept', 'invitation.yaml', '-y'))));
  expect((await a(mesh('status'))).stdout).toContain(waits);
  good(await a(mesh('accept', 'reply.yaml', '-y')));
  expect((await a(mesh('status'))).stdout).not.toContain('waits for the reply');
});

it('a confirmation that was handed over is history once the clusters have parted, also where connect joins them again', async () => {
  const { clusters, owners } = two;
  const a = found(owners['mesh-1'], 'mesh-1');
  const words = 'has accepted the confirmation (';
  expect((await a(mesh('status'))).stdout).toContain(words);
  good(await clusters.meshctl(mesh('disconnect', '--all', '-y')));
  good(await clusters.meshctl(mesh('connect', '--all')));
  const status = good(await clusters.meshctl(mesh('status', '--context', 'mesh-1', '--wait')));
  expect(status).toContain('mesh-2');
  expect(status).not.toContain(words);
});

it('an invitation of a CA that was replaced is void, and the hint as printed ends it', async () => {
  const a = found(two.owners['mesh-1'], 'mesh-1');
  const b = found(two.owners['mesh-2'], 'mesh-2');
  await two.save('old.yaml', good(await a(mesh('invite', '--peer', 'mesh-2'))));
  await two.save('old-reply.yaml', good(await b(mesh('accept', 'old.yaml', '-y'))));
  expect((await a(mesh('status'))).stdout).toContain('waits for the reply');
  good(await two.clusters.meshctl(mesh('certs', 'rotate', '--all', '--ca', '-y')));
  const why = 'is void, because the CA that signed what was sent has been replaced';
  for (const [owner, command] of [
    [a, 'status'],
    [a, 'check'],
    [b, 'status'],
  ] as const) {
    const { stdout } = await owner(mesh(command));
    if (command === 'status') expect(stdout).toContain(why);
    expect(stdout).not.toContain('clustermesh accept');
  }
  expect((await a(mesh('accept', 'old-reply.yaml', '-y'))).stderr).toContain('the CA was replaced meanwhile');
  expect(good(await a(mesh('invitations', 'list')))).toMatch(/mesh-2 +inviter +void /);
  const status = (await a(mesh('status'))).stdout;
  const [, revoke = '', invite = ''] = /→ meshctl (.* revoke .*) && meshctl (.*)$/m.exec(status) ?? [];
  good(await a([...revoke.split(' '), '-y']));
  good(await a(invite.split(' ')));
  const { stdout } = await a(mesh('status'));
  expect(stdout).not.toContain(why);
  expect(stdout).toContain('waits for the reply of the owner of "mesh-2"');
});

it('who was let in by an invitation is no stranger while it waits, and a disconnect says what becomes of it', async () => {
  const a = found(two.owners['mesh-1'], 'mesh-1');
  const b = found(two.owners['mesh-2'], 'mesh-2');
  const { meshctl } = two.clusters;
  good(await meshctl(mesh('disconnect', '--all', '-y')));
  await two.save('open.yaml', good(await a(mesh('invite'))));
  good(await b(mesh('accept', 'open.yaml', '-y')));
  const tls = await meshctl(mesh('check', '--all', '--category', 'tls'));
  expect(tls.stdout).not.toContain('may log in, but');
  const pair = ['--context', 'mesh-2', '--destination-context', 'mesh-1'];
  for (const argv of [pair, ['--context', 'mesh-2', '--peer', 'mesh-1']]) {
    const { stderr } = await meshctl(mesh('disconnect', ...argv, '--dry-run'));
    expect(stderr).toMatch(
      /has let mesh-1 in, which ends with this, and a message of it may still be accepted\s+→ revoke it too: /,
    );
  }
  const leaving = await meshctl(mesh('disable', '--context', 'mesh-2', '--dry-run'));
  expect(leaving.stdout).toMatch(/has let mesh-1 in, which ends with this/);
  const { stderr } = await meshctl(mesh('disconnect', ...pair, '-y'));
  const [, revoke = ''] = /→ revoke it too: meshctl (.*)$/m.exec(stderr) ?? [];
  good(await meshctl(revoke.split(' ')));
  expect(good(await b(mesh('invitations', 'list')))).not.toMatch(/ replied /);
});

/** Types what a disconnect says of open invitations. @returns how many */
async function revokedAsPrinted(stderr: string): Promise<number> {
  const lines = [...stderr.matchAll(/would join mesh-\d again\s+→ revoke it too: meshctl (.*)$/gm)];
  for (const [, revoke = ''] of lines) good(await two.clusters.meshctl(revoke.split(' ')));
  return lines.length;
}

/** Status has no word of invitations; the list shows how the last one stands, with what ends one whose messages are accepted still. */
async function hasNoWordOf(owner: (typeof two.owners)[string], last: RegExp): Promise<void> {
  expect((await owner(mesh('status'))).stdout).not.toContain('invitation');
  const listed = good(await owner(mesh('invitations', 'list')));
  expect(listed).not.toContain('‼');
  const lines = listed.trim().split('\n');
  expect(lines.findLast((line) => !line.trimStart().startsWith('→'))).toMatch(last);
  expect(lines.at(-1)).toMatch(/^ +→ meshctl clustermesh invitations revoke /);
}

it('one that was never answered is history where one operator has connected the two since, and disconnect names it', async () => {
  const a = found(two.owners['mesh-1'], 'mesh-1');
  const { meshctl } = two.clusters;
  for (const owner of Object.values(two.owners)) {
    const ids = good(await owner(mesh('invitations', 'list', '-o', 'name')));
    for (const id of ids.match(/\S+/g) ?? []) await owner(mesh('invitations', 'revoke', id, '-y'));
  }
  good(await a(mesh('invite', '--peer', 'mesh-2')));
  expect((await a(mesh('status'))).stdout).toContain('waits for the reply');
  good(await meshctl(mesh('connect', '--all')));
  good(await meshctl(mesh('status', '--all', '--wait')));
  await hasNoWordOf(a, / outdated /);
  const { stderr } = await meshctl(mesh('disconnect', '--all', '-y'));
  expect(await revokedAsPrinted(stderr)).toBe(1);
});

it('a renewal says that it is one, and is history once the two have parted, which names it on both sides', async () => {
  const a = found(two.owners['mesh-1'], 'mesh-1');
  const b = found(two.owners['mesh-2'], 'mesh-2');
  await two.save('invitation.yaml', good(await a(mesh('invite', '--peer', 'mesh-2'))));
  await two.save('reply.yaml', good(await b(mesh('accept', 'invitation.yaml', '-y'))));
  await two.save('confirmation.yaml', good(await a(mesh('accept', 'reply.yaml', '-y'))));
  good(await b(mesh('accept', 'confirmation.yaml', '-y')));
  const renewal = good(await a(mesh('certs', 'rotate', '--peer', 'mesh-2')));
  expect(renewal).toMatch(/^# The owner of cluster "mesh-1" wants to renew the certificates /);
  await two.save('renewal.yaml', renewal);
  good(await b(mesh('accept', 'renewal.yaml', '-y')));
  expect((await a(mesh('status'))).stdout).toContain('waits for the reply');
  expect((await b(mesh('status'))).stdout).toContain('waits for the confirmation');
  for (const [owner, peer] of [
    [a, 'mesh-2'],
    [b, 'mesh-1'],
  ] as const) {
    const parted = await owner(mesh('disconnect', '--peer', peer, '-y'));
    good(parted);
    expect(parted.stderr).toContain(`is still open, and a message of it would join ${peer} again`);
    await hasNoWordOf(owner, / outdated /);
    expect(await revokedAsPrinted(parted.stderr)).toBe(1);
  }
});
