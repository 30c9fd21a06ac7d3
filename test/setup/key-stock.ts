import { createPrivateKey, createPublicKey, generatePrime } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { remembered } from '../../src/mesh/remembered.ts';
import type { KeyPair } from '../../src/pki/certificate.ts';

export const BITS = 2048;
/** A file begins anew with the leaves' keys only after so many that no two of one test are the same. */
const LEAVES = 32;
const PUBLIC_EXPONENT = 65_537n;

/**
 * Making RSA keys would be a tenth of all that the tests compute, so the files of a run share a stock of primes, and each two
 * of them are a key: no two keys are the same, and none is safe, as who has two of them may find that they share a prime.
 * The key of a leaf comes again after a while. The key of a CA is what tells it from another, so no two CAs of a file have
 * the same: a rotation whose new CA had the key of the former one would find nothing to renew.
 */
export class KeyStock {
  private leaves = 0;
  private authorities = 0;
  private readonly key = remembered((index: number) => this.makeKey(...pairOf(index)), Number.POSITIVE_INFINITY);
  private readonly prime = remembered((index: number) => this.readOrMakePrime(index), Number.POSITIVE_INFINITY);

  private readonly folder: string;

  /** @param folder where all workers of a run find the primes that one of them has made */
  constructor(folder: string) {
    this.folder = folder;
  }

  /** What other files have taken does not count. */
  beginFile(): void {
    this.leaves = 0;
    this.authorities = 0;
  }

  ofLeaf(): Promise<KeyPair> {
    return this.key(this.leaves++ % LEAVES);
  }

  ofAuthority(): Promise<KeyPair> {
    return this.key(LEAVES + this.authorities++);
  }

  private async makeKey(one: number, other: number): Promise<KeyPair> {
    return rsaKeyOf(await this.prime(one), await this.prime(other));
  }

  private async readOrMakePrime(index: number): Promise<bigint> {
    const path = join(this.folder, `prime-${index}`);
    const stored = await readFile(path, 'utf8').catch(() => undefined);
    if (stored !== undefined) return BigInt(stored);
    let prime: bigint;
    do prime = await makePrime();
    while ((prime - 1n) % PUBLIC_EXPONENT === 0n);
    // Whole or not at all, for the other workers.
    const own = `${path}.${process.pid}`;
    await writeFile(own, String(prime), { mode: 0o600 });
    await rename(own, path);
    return prime;
  }
}

function makePrime(): Promise<bigint> {
  return new Promise((resolve, reject) => {
    generatePrime(BITS / 2, { bigint: true }, (error, prime) => (error ? reject(error) : resolve(prime)));
  });
}

/** The pairs of different numbers one after the other: 1 0, 2 0, 2 1, 3 0, … */
function pairOf(index: number): [number, number] {
  const larger = Math.floor((1 + Math.sqrt(1 + 8 * index)) / 2);
  return [larger, index - (larger * (larger - 1)) / 2];
}

/** The key of two primes, with all that lets OpenSSL sign as quickly as with one of its own. */
function rsaKeyOf(p: bigint, q: bigint): KeyPair {
  const d = inverse(PUBLIC_EXPONENT, (p - 1n) * (q - 1n));
  const numbers = { n: p * q, e: PUBLIC_EXPONENT, d, p, q, dp: d % (p - 1n), dq: d % (q - 1n), qi: inverse(q, p) };
  const fields = Object.entries(numbers).map(([name, value]) => [name, base64url(value)]);
  const privateKey = createPrivateKey({ key: { kty: 'RSA', ...Object.fromEntries(fields) }, format: 'jwk' });
  return { privateKey, publicKey: createPublicKey(privateKey).export({ type: 'spki', format: 'der' }) };
}

/** By Euclid, of a number that has no divisor in common with the modulus. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [remainder, next] = [modulus, value % modulus];
  let [factor, nextFactor] = [0n, 1n];
  while (next !== 0n) {
    const quotient = remainder / next;
    [remainder, next] = [next, remainder - quotient * next];
    [factor, nextFactor] = [nextFactor, factor - quotient * nextFactor];
  }
  return factor < 0n ? factor + modulus : factor;
}

function base64url(value: bigint): string {
  const hex = value.toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url');
}
