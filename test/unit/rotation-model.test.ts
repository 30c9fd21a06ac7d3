import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { KeyPair } from '../../src/pki/certificate.ts';
import {
  authoritiesIn,
  CA_BITS,
  copyOf,
  meshOf,
  peeringFiles,
  presentCas,
  refusedIn,
  rotateModel,
  type World,
} from '../support/rotation-model.ts';

// Making keys is what takes time. Leaves may share one here; the key of a CA is what tells it from another.
vi.mock('../../src/pki/certificate.ts', async (original) => {
  const real = await original<typeof import('../../src/pki/certificate.ts')>();
  let leaf: Promise<KeyPair> | undefined;
  return {
    ...real,
    generateRsaKey: (bits: number) => {
      if (bits === CA_BITS) return real.generateRsaKey(bits);
      leaf ??= real.generateRsaKey(bits);
      return leaf;
    },
  };
});

// So does reading the same certificates again and again.
vi.mock('../../src/pki/read.ts', async (original) => {
  const real = await original<typeof import('../../src/pki/read.ts')>();
  const remembered = <A extends unknown[], R>(read: (...args: A) => R) => {
    const known = new Map<string, R>();
    return (...args: A): R => {
      const question = JSON.stringify(args);
      const facts = known.get(question) ?? read(...args);
      known.set(question, facts);
      return facts;
    };
  };
  const reader = real.createTlsReader();
  return {
    ...real,
    createTlsReader: () => reader,
    readBundle: remembered(real.readBundle),
    readCertificate: remembered(real.readCertificate),
  };
});

/** The mesh after each write of a rotation. */
async function afterEachWrite(mesh: World, ca: boolean): Promise<World[]> {
  const world = copyOf(mesh);
  const states: World[] = [];
  const refused: string[] = [];
  const after = () => {
    refused.push(...refusedIn(world).map((words) => `after write ${states.length + 1}: ${words}`));
    states.push(copyOf(world));
    return true;
  };
  expect(await rotateModel(world, { ca, after })).toBe(true);
  expect(refused).toEqual([]);
  return states;
}

/** Runs it again from where it was cut. */
async function expectGoesOn(cut: World, ca: boolean, where: string, whole = mesh): Promise<void> {
  const world = copyOf(cut);
  const refused: string[] = [];
  const after = () => {
    refused.push(...refusedIn(world));
    return true;
  };
  expect(await rotateModel(world, { ca, after }), where).toBe(true);
  expect(refused, where).toEqual([]);
  // One CA a cluster: nobody trusts another one any more.
  expect(authoritiesIn(world), where).toEqual(new Set(presentCas(world).map((pem) => pem?.trim())));
  expect(peeringFiles(world), where).toEqual(peeringFiles(whole));
}

let mesh: World;
let states: World[];
beforeAll(async () => {
  mesh = await meshOf(2);
  states = await afterEachWrite(mesh, true);
}, 60_000);

describe('a rotation of the CAs of two clusters', () => {
  it('writes what it should, and refuses nobody at any moment', () => {
    expect(states).toHaveLength(40);
    const last = states.at(-1) ?? [];
    expect(authoritiesIn(last).size).toBe(2);
    expect(presentCas(last)).not.toEqual(presentCas(mesh));
    expect(peeringFiles(last)).toEqual(peeringFiles(mesh));
  });

  it.each([
    ['with --ca', true, (cut: number) => cut % 2 === 1],
    ['without', false, (cut: number) => cut % 2 === 0],
  ])(
    'goes on after a cut at each write when it is run again %s',
    async (_name, ca, chosen) => {
      for (const [index, state] of states.entries()) {
        if (chosen(index + 1)) await expectGoesOn(state, ca, `cut after write ${index + 1}`);
      }
    },
    120_000,
  );

  it('finishes what was begun, and begins nothing anew, once the CAs are in place', async () => {
    // After the second phase all CAs are new.
    for (const cut of [16, 30, 39]) {
      const state = states[cut - 1] ?? [];
      const world = copyOf(state);
      await rotateModel(world, { ca: true });
      expect(presentCas(world), `cut after write ${cut}`).toEqual(presentCas(state));
    }
  }, 60_000);
});

it('a rotation of four clusters goes on after cuts in each phase', async () => {
  const four = await meshOf(4);
  const cuts = await afterEachWrite(four, true);
  for (const cut of [9, 40, 78]) {
    await expectGoesOn(cuts[cut - 1] ?? [], cut % 2 === 0, `cut after write ${cut}`, four);
  }
}, 120_000);

it('a plain rotation writes each Secret once', async () => {
  const plain = await afterEachWrite(mesh, false);
  expect(plain).toHaveLength(10);
  expect(presentCas(plain.at(-1) ?? [])).toEqual(presentCas(mesh));
});
