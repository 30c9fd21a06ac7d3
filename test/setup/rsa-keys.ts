import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject, vi } from 'vitest';
import type { KeyPair } from '../../src/pki/certificate.ts';

/**
 * Making an RSA key takes longer than all else that a command does, so the files of a run share a stock of them: each file
 * takes one after the other, and begins anew only after so many that no two of one test are the same. The first ones, of the
 * CAs and of what a mesh is set up with, are not given out again.
 */
const STOCK = 56;
const OF_THE_MESH = 24;
const BITS = 2048;

vi.mock('../../src/pki/certificate.ts', async (original) => {
  const real = await original<typeof import('../../src/pki/certificate.ts')>();
  const folder = inject('keyFolder');
  const stock = new Map<number, Promise<KeyPair>>();
  let taken = 0;

  function keyOfStock(): Promise<KeyPair> {
    const index = taken < STOCK ? taken : OF_THE_MESH + ((taken - STOCK) % (STOCK - OF_THE_MESH));
    taken += 1;
    const key = stock.get(index) ?? readOrMake(index);
    stock.set(index, key);
    return key;
  }

  async function readOrMake(index: number): Promise<KeyPair> {
    const path = join(folder, `${index}.pem`);
    const stored = await readFile(path, 'utf8').catch(() => undefined);
    if (stored === undefined) {
      const made = await real.generateRsaKey(BITS);
      // Whole or not at all, for the other workers.
      const own = `${path}.${process.pid}`;
      await writeFile(own, real.keyToPem(made.privateKey), { mode: 0o600 });
      await rename(own, path);
      return made;
    }
    const privateKey = createPrivateKey(stored);
    return { privateKey, publicKey: createPublicKey(privateKey).export({ type: 'spki', format: 'der' }) };
  }

  return {
    ...real,
    generateRsaKey: (bits: number) => (bits === BITS ? keyOfStock() : real.generateRsaKey(bits)),
  };
});
