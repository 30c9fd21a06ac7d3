/** Of two owners one replaces their CA; what is printed from there on, followed as it stands, joins the two again. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type PrintedCommand, printedCommands } from '../support/printed-commands.ts';
import { eventually, found } from '../support/sandbox-mesh.ts';
import { good, mesh, type Owner, startTwoOwners, type TwoOwners } from '../support/two-owners.ts';

let two: TwoOwners;
let a: Owner;
let b: Owner;

beforeAll(async () => {
  two = await startTwoOwners();
  a = found(two.owners['mesh-1'], 'mesh-1');
  b = found(two.owners['mesh-2'], 'mesh-2');
  await two.save('invitation.yaml', good(await a(mesh('invite'))));
  await exchange(a, b);
});
afterAll(() => two?.close());

/** From the invitation that is saved on. */
async function exchange(inviter: Owner, guest: Owner): Promise<void> {
  await two.save('reply.yaml', good(await guest(mesh('accept', 'invitation.yaml', '-y'))));
  await two.save('confirmation.yaml', good(await inviter(mesh('accept', 'reply.yaml', '-y'))));
  good(await guest(mesh('accept', 'confirmation.yaml', '-y')));
}

/** Types lines as printed, and agrees. @returns what the last one printed, e.g. an invitation */
async function typed(owner: Owner, commands: readonly PrintedCommand[]): Promise<string> {
  let last = '';
  for (const { argv } of commands) last = good(await owner([...argv, ...(argv.includes('invite') ? [] : ['-y'])]));
  return last;
}

/** Replaces the CA of mesh-1, as its refusal says. @returns the invitation that this ends with */
async function replaced(): Promise<string> {
  const steps = printedCommands(await a(mesh('certs', 'rotate', '--ca', '-y')));
  expect(steps.map(({ argv }) => argv.slice(1, 3).join(' '))).toEqual([
    'disconnect --context',
    'certs rotate',
    'invite --context',
  ]);
  return typed(a, steps);
}

const hinted = async () => {
  const { stdout } = await eventually(
    () => b(mesh('status')),
    ({ stdout }) => stdout.includes('(tls-unknown-ca)'),
    'the new CA is noticed',
  );
  const said = stdout.replaceAll(/\s+/g, ' ');
  expect(said).toContain('have the owner of "mesh-1" run "clustermesh enable" in their cluster; or where they have');
  expect(said).not.toContain('cluster &&');
  const steps = printedCommands({ stdout, stderr: '' });
  expect(steps.map(({ line }) => line)[0]).toBe(
    'meshctl clustermesh disconnect --context mesh-2 --peer mesh-1 && meshctl clustermesh invite --context mesh-2 --peer mesh-1',
  );
  return steps.slice(0, 2);
};

async function areJoined(): Promise<void> {
  for (const owner of [a, b]) good(await owner(mesh('status', '--wait')));
}

it('by an invitation of who sees the new CA', async () => {
  await replaced();
  await two.save('invitation.yaml', await typed(b, await hinted()));
  await exchange(b, a);
  await areJoined();
});

it('by the invitation of who has it, which is refused until the former one is forgotten', async () => {
  await two.save('invitation.yaml', await replaced());
  const refused = await b(mesh('accept', 'invitation.yaml', '-y'));
  expect(refused.exitCode).toBe(1);
  const [forget] = await hinted();
  expect(printedCommands(refused).map(({ argv }) => argv)).toEqual([forget?.argv]);
  await typed(b, printedCommands(refused));
  await exchange(a, b);
  await areJoined();
});
