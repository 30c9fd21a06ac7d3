import { createSign, createVerify } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BITS, KeyStock } from '../setup/key-stock.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'meshctl-key-stock-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const hexOf = async (keys: Iterable<ReturnType<KeyStock['ofLeaf']>>) =>
  (await Promise.all(keys)).map(({ publicKey }) => publicKey.toString('hex'));

it('gives no two CAs of a file, and no CA and leaf, the same key', async () => {
  const stock = new KeyStock(folder);
  const keys = Array.from({ length: 200 }, () => ({ authority: stock.ofAuthority(), leaf: stock.ofLeaf() }));
  const authorities = await hexOf(keys.map(({ authority }) => authority));
  const leaves = new Set(await hexOf(keys.map(({ leaf }) => leaf)));
  expect(new Set(authorities).size).toBe(200);
  expect(authorities.filter((key) => leaves.has(key))).toEqual([]);
  expect(leaves.size).toBeLessThan(200);
});

it('gives the next file, and another worker, the keys that were made', async () => {
  const stock = new KeyStock(folder);
  const first = await hexOf([stock.ofAuthority(), stock.ofLeaf()]);
  stock.beginFile();
  const again = await hexOf([stock.ofAuthority(), stock.ofLeaf()]);
  const elsewhere = new KeyStock(folder);
  const other = await hexOf([elsewhere.ofAuthority(), elsewhere.ofLeaf()]);
  expect([again, other]).toEqual([first, first]);
});

it('gives RSA keys of the usual size, with which one can sign', async () => {
  const { privateKey } = await new KeyStock(folder).ofLeaf();
  expect(privateKey.asymmetricKeyDetails).toMatchObject({ modulusLength: BITS, publicExponent: 65_537n });
  const signature = createSign('sha256').update('signed').sign(privateKey);
  expect(
    createVerify('sha256')
      .update('signed')
      .verify(privateKey.export({ type: 'pkcs1', format: 'pem' }), signature),
  ).toBe(true);
});
