import { generateKeyPairSync } from 'node:crypto';

/** A private key, in PEM, that no certificate of the test has: those of other certificates come from a stock, and come again. */
export function keyOfNobody(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
}
