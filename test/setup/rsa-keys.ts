import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inject, vi } from 'vitest';
import type { KeyPair } from '../../src/pki/certificate.ts';

/**
 * Making an RSA key takes longer than all else that a command does, so the files of a run share a stock of them: each file
 * takes one after the other, and begins anew only after so many that no two of one test are the same.
 */
const STOCK = 48;
const BITS = 2048;

vi.mock('../../src/pki/certificate.ts', async (original) => {
  const real = await original<typeof import('../../src/pki/certificate.ts')>();
  const folder = inject('keyFolder');
  let taken = 0;

  async function keyOfStock(): Promise<KeyPair> {
    const path = join(folder, `${taken++ % STOCK}.pem`);
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
