import { afterAll, beforeAll, expect, it } from 'vitest';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { jsonOf } from '../support/cli.ts';
import { type ConnectedMesh, startConnectedMesh } from '../support/connected-mesh.ts';
import { found, refsOf } from '../support/sandbox-mesh.ts';

/** mesh-1 and mesh-2 were disconnected, and a hand has put the files of mesh-1 back since. */
let mesh: ConnectedMesh;
let former: unknown[];
const secrets = () => ['cilium-kvstoremesh', 'cilium-clustermesh'].map((name) => refsOf(mesh.one).secret(name));

beforeAll(async () => {
  mesh = await startConnectedMesh({ nodes: 1 });
  former = secrets().map((ref) => structuredClone(found(mesh.one.store.get(ref), ref.name).data));
  const parting = ['--context', 'mesh-1', '--destination-context', 'mesh-2', '--yes'];
  await mesh.meshctl.ok(['clustermesh', 'disconnect', ...parting]);
});
afterAll(async () => {
  expect(mesh.sandbox.errors).toEqual([]);
  await mesh.sandbox.close();
});

/** Writes what was there as another hand does, or a tool with its marks. */
function putBack(manager: string, annotations: Record<string, string>): void {
  for (const [index, ref] of secrets().entries()) {
    const write = (data: unknown) =>
      mesh.one.store.update(
        ref,
        (secret: KubeObject) => {
          Object.assign(secret, { data });
          secret.metadata.annotations = { ...secret.metadata.annotations, ...annotations };
        },
        manager,
      );
    write({});
    write(former[index]);
  }
}

it.each([
  ['kubectl-edit', {}, 'kubectl-edit', ''],
  [
    'helm',
    { 'meta.helm.sh/release-name': 'cilium', 'meta.helm.sh/release-namespace': 'kube-system' },
    'Helm release cilium',
    ', and have Helm release cilium name it no more',
  ],
])('a peer that %s dials again is told with who has set its file, and when', async (manager, marks, owner, lasting) => {
  putBack(manager, marks);
  const result = await mesh.meshctl('clustermesh check --context mesh-1,mesh-2 --category peers -o json'.split(' '));
  const { checks } = jsonOf(result) as unknown as { checks: { id: string; message: string; hint?: string }[] };
  const [mutual] = checks.filter(({ id }) => id === 'peers-mutual');
  const setBy = `the file for mesh-2 in context "mesh-1" was set by ${owner} at `;
  expect(mutual?.message).toContain(`mesh-2 is not configured to dial back (${setBy}`);
  expect(mutual?.message).toMatch(/ at \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)$/);
  expect(mutual?.hint).toContain(`or disconnect that side too${lasting}: meshctl clustermesh disconnect `);
});
