import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { KeyPair } from '../../src/pki/certificate.ts';

export const BITS = 2048;
/** A file begins anew with the leaves' keys only after so many that no two of one test are the same. */
const LEAVES = 32;

/**
 * Making an RSA key takes longer than all else that a command does, so the files of a run share a stock of them: each file
 * takes one after the other. The key of a leaf comes again after a while. The key of a CA is what tells it from another, so
 * no two CAs of a file have the same: a rotation whose new CA had the key of the former one would find nothing to renew.
 */
export class KeyStock {
  private leaves = 0;
  private authorities = 0;
  private readonly keys = new Map<string, Promise<KeyPair>>();

  private readonly folder: string;
  private readonly make: () => Promise<KeyPair & { pem: string }>;

  constructor(folder: string, make: () => Promise<KeyPair & { pem: string }>) {
    this.folder = folder;
    this.make = make;
  }

  /** What other files have taken does not count. */
  beginFile(): void {
    this.leaves = 0;
    this.authorities = 0;
  }

  ofLeaf(): Promise<KeyPair> {
    return this.take(`leaf-${this.leaves++ % LEAVES}`);
  }

  ofAuthority(): Promise<KeyPair> {
    return this.take(`ca-${this.authorities++}`);
  }

  private take(name: string): Promise<KeyPair> {
    const key = this.keys.get(name) ?? this.readOrMake(join(this.folder, `${name}.pem`));
    this.keys.set(name, key);
    return key;
  }

  private async readOrMake(path: string): Promise<KeyPair> {
    const stored = await readFile(path, 'utf8').catch(() => undefined);
    if (stored !== undefined) {
      const privateKey = createPrivateKey(stored);
      return { privateKey, publicKey: createPublicKey(privateKey).export({ type: 'spki', format: 'der' }) };
    }
    const { pem, ...made } = await this.make();
    // Whole or not at all, for the other workers.
    const own = `${path}.${process.pid}`;
    await writeFile(own, pem, { mode: 0o600 });
    await rename(own, path);
    return made;
  }
}
