import { expect, it } from 'vitest';
import { type KubeObject, keyOf } from '../../src/mesh/objects/kube-object.ts';
import { CA_SECRET, secretRef } from '../../src/mesh/objects/names.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
import { finishedBy } from '../../src/mesh/rotation/phases.ts';
import { type RotationScope, scopeRotation } from '../../src/mesh/rotation/scope.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import {
  authoritiesIn,
  CA_BITS,
  copyOf,
  membersIn,
  meshOf,
  presentCas,
  refusedIn,
  rotateModel,
  type World,
} from '../support/rotation-model.ts';
import { NOW } from '../support/snapshots.ts';

/** Somebody puts another CA into Secret cilium-ca of mesh-1. */
async function withOtherCa(mesh: World): Promise<World> {
  const world = copyOf(mesh);
  const { certificate, privateKey } = await createAuthority({ now: NOW, keySize: CA_BITS });
  const key = keyOf(secretRef('kube-system', CA_SECRET));
  const data = { 'ca.crt': encodeText(certificate), 'ca.key': encodeText(privateKey) };
  world[0]?.objects.set(key, { ...world[0].objects.get(key), data } as KubeObject);
  return world;
}

const scopeOf = async (world: World, choice = {}): Promise<RotationScope> =>
  scopeRotation(await membersIn(world), { ca: false, force: false, ...choice }, NOW);

it('a run that goes over to a CA that somebody has put there says at no moment that it replaces none', async () => {
  const world = await withOtherCa(await meshOf(2));
  const [other] = presentCas(world);
  const states = [copyOf(world)];
  const steps: Step[] = [];
  const after = (step: Step) => {
    expect(refusedIn(world)).toEqual([]);
    states.push(copyOf(world));
    return steps.push(step) > 0;
  };
  expect(await rotateModel(world, { ca: false, after })).toBe(true);
  expect(presentCas(world)[0]).toBe(other);
  // The former one is trusted by nobody.
  expect(authoritiesIn(world).size).toBe(2);
  expect(finishedBy(steps)).toEqual(['mesh-1']);
  const scopes = await Promise.all(states.map((state) => scopeOf(state)));
  expect(scopes.flatMap(({ staying }) => [...staying])).toEqual([]);
  expect([...(scopes[0]?.switching ?? [])]).toEqual(['mesh-1']);
  expect(scopes[0]?.notes['mesh-1']).toEqual([
    'the CA in Secret cilium-ca takes the place of the one in use, which is no longer trusted at the end',
  ]);
  // Cut at any write, it goes on, or goes over as before.
  expect(new Set(scopes.slice(0, -1).map(({ notes }) => notes['mesh-1']?.length))).toEqual(new Set([1]));
  expect([...(scopes.at(-1)?.switching ?? [])]).toEqual([]);
  // With --ca it gets one that is new.
  expect([...(await scopeOf(states[0] ?? [], { ca: true })).switching]).toEqual([]);
});
