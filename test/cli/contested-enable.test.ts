/** Where others have set fields that an enable would change, the enable of a next step is the one that is not refused for it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { edit } from '../support/check-scenarios.ts';
import { CATALOGUE, entryOf } from '../support/fault-catalogue.ts';
import { type FaultMesh, startFaultMesh, TWO } from '../support/fault-mesh.ts';
import { CHECK, follow, STATUS, troubleOf } from '../support/follow-printed.ts';
import { isLook, printedCommands } from '../support/printed-commands.ts';
import { refsOf } from '../support/sandbox-mesh.ts';

let mesh: FaultMesh;
beforeAll(async () => {
  mesh = await startFaultMesh();
});
afterAll(() => mesh.close());

const PART_OF = 'app.kubernetes.io/part-of';
const TAKEN = /take over metadata\.labels\.app\.kubernetes\.io\/part-of of Service cilium\/clustermesh-apiserver from/;

/** Somebody has labelled the Service otherwise. */
function contest({ two }: FaultMesh): void {
  const change = ({ metadata }: KubeObject) => {
    metadata.labels = { ...metadata.labels, [PART_OF]: 'mine' };
  };
  edit(two, refsOf(two).service('clustermesh-apiserver'), change, 'kubectl-edit');
}

const FAULTS = CATALOGUE.filter(({ id }) =>
  ['server-certificate-garbage', 'users-garbage', 'local-certificate-deleted', 'access-deleted'].includes(id),
);

describe.each(FAULTS.map((fault) => [fault.id, fault] as const))(
  '%s, of a cluster with a field of others',
  (_, fault) => {
    it.each([
      ['status', STATUS],
      ['check', CHECK],
    ] as const)('%s: typed as printed, it mends', async (_name, argv) => {
      await mesh.restore();
      await fault.arrange(mesh);
      contest(mesh);
      const result = await mesh.meshctl(argv);
      const words = result.stdout.replaceAll(/\s+/g, ' ');
      const commands = printedCommands(result).filter(
        (command) => !isLook(command) && command.argv.join(' ').startsWith('clustermesh enable'),
      );
      expect(commands, result.stdout).not.toEqual([]);
      expect(commands.filter(({ argv: all }) => !all.includes('--force-conflicts'))).toEqual([]);
      expect(words).toMatch(TAKEN);
      const log: string[] = [];
      await follow(mesh, fault, printedCommands(result), log);
      expect(
        log.filter((line) => line.startsWith('  ')),
        log.join('\n'),
      ).toEqual([]);
      expect(await troubleOf(mesh)).toBeUndefined();
    });
  },
);

it('without a field of others nothing is forced', async () => {
  await mesh.restore();
  await entryOf('users-garbage').arrange(mesh);
  for (const argv of [STATUS, CHECK]) expect((await mesh.meshctl(argv)).stdout).not.toContain('--force-conflicts');
});

it('ownership-managers counts whoever has written over a certificate of meshctl', async () => {
  await mesh.restore();
  const secret = refsOf(mesh.two).secret('clustermesh-apiserver-server-cert');
  edit(mesh.two, secret, (object) => Object.assign(object.data as object, { 'tls.crt': 'bm9wZQ==' }), 'kubectl-edit');
  const { stdout } = await mesh.meshctl([...CHECK, '--category', 'ownership', '-o', 'json']);
  const { checks } = JSON.parse(stdout) as { checks: { id: string; cluster?: string; args: object }[] };
  expect(checks.find(({ id }) => id === 'ownership-managers')).toMatchObject({
    severity: 'warn',
    cluster: TWO,
    args: { objects: ['Secret cilium/clustermesh-apiserver-server-cert: data.tls.crt (kubectl-edit)'] },
  });
  // Enable takes over unasked what is meshctl's to fill: who follows the check types what status prints.
  const said = [await mesh.meshctl([...CHECK, '--category', 'ownership']), await mesh.meshctl(STATUS)];
  const [byCheck = [], byStatus = []] = said.map((one) => printedCommands(one).filter((command) => !isLook(command)));
  expect(byStatus.map(({ line }) => line)).toEqual([expect.stringContaining('clustermesh enable')]);
  expect(byCheck).toEqual(byStatus);
  await follow(mesh, entryOf('server-certificate-garbage'), byCheck, []);
  expect((await mesh.meshctl([...CHECK, '--category', 'ownership'])).stdout).not.toContain('ownership-managers');
});
