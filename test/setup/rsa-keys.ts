import { inject, vi } from 'vitest';
import { BITS, KeyStock } from './key-stock.ts';

/** Files of one worker share the modules of `src/`, and a module that was loaded for an earlier file takes its keys from here too. */
const shared = globalThis as { meshctlTestKeys?: KeyStock };
shared.meshctlTestKeys?.beginFile();

vi.mock('../../src/pki/certificate.ts', async (original) => {
  const real = await original<typeof import('../../src/pki/certificate.ts')>();
  shared.meshctlTestKeys ??= new KeyStock(inject('keyFolder'));
  const stock = shared.meshctlTestKeys;
  return { ...real, generateRsaKey: (bits: number) => (bits === BITS ? stock.ofLeaf() : real.generateRsaKey(bits)) };
});

vi.mock('../../src/pki/authority.ts', async (original) => {
  const real = await original<typeof import('../../src/pki/authority.ts')>();
  const createAuthority: typeof real.createAuthority = async ({ keySize = BITS, key, ...options } = {}) => {
    const given = key ?? (keySize === BITS ? await shared.meshctlTestKeys?.ofAuthority() : undefined);
    return real.createAuthority({ ...options, keySize, key: given });
  };
  return { ...real, createAuthority };
});
