/** What status says of an invitation that two owners used, once their clusters are connected otherwise. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { found } from '../support/sandbox-mesh.ts';
import { good, mesh, startTwoOwners, type TwoOwners } from '../support/two-owners.ts';

let two: TwoOwners;

beforeAll(async () => {
  two = await startTwoOwners();
}, 120_000);
afterAll(() => two?.close());

it('a confirmation that was handed over is history once the clusters have parted, also where connect joins them again', async () => {
  const { clusters, owners } = two;
  const [a, b] = [found(owners['mesh-1'], 'mesh-1'), found(owners['mesh-2'], 'mesh-2')];
  await two.save('invitation.yaml', good(await a(mesh('invite'))));
  await two.save('reply.yaml', good(await b(mesh('accept', 'invitation.yaml', '-y'))));
  good(await a(mesh('accept', 'reply.yaml', '-y')));
  const words = 'has accepted the confirmation too';
  expect((await a(mesh('status'))).stdout).toContain(words);
  good(await clusters.meshctl(mesh('disconnect', '--all', '-y')));
  good(await clusters.meshctl(mesh('connect', '--all')));
  const status = good(await clusters.meshctl(mesh('status', '--context', 'mesh-1', '--wait')));
  expect(status).toContain('mesh-2');
  expect(status).not.toContain(words);
});
