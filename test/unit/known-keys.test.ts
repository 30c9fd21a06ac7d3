import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isOn } from '../../src/mesh/cilium/datapath.ts';
import { type CiliumConfigKey, KNOWN_KEYS, obeysKey } from '../../src/mesh/cilium/known-keys.ts';
import { parseVersion } from '../../src/mesh/cilium/versions/versions.ts';
import { snapshotOf } from '../support/snapshots.ts';

const LEDGER = 'known-keys.ts';
const ROOT = new URL('../../', import.meta.url).pathname;

/** What runs, or is rendered: without comments, in which anything may be mentioned. */
const texts = ['src', 'templates']
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(ts|ya?ml)$/.test(entry.name) && entry.name !== LEDGER)
      .map((entry) => join(entry.parentPath, entry.name)),
  )
  .map((file) => {
    const text = readFileSync(file, 'utf8');
    const code = file.endsWith('.ts')
      ? text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^\s*\/\/.*$/gm, '')
      : text.replaceAll(/^\s*#.*$/gm, '');
    return { file: file.slice(ROOT.length), code };
  });

/** Of an object of Cilium's, as a key is written: not a group of the API, an image, or an address of documentation. */
const CILIUM_KEY =
  /(?<![\w./@-])(?:(?:[a-z0-9-]+\.)*cilium\.io\/(?!v\d|en\/)[a-z][\w.-]*|io\.cilium(?:\/|\.k8s\.)[\w.-]+|k8s-app['"]?[=:]\s*['"]?(?:cilium|clustermesh)[\w-]*)/g;

/** `k8s-app: cilium`, `'k8s-app': 'cilium'` and `k8s-app=cilium` are one label; a name may go on with another one. */
function keyIn(written: string): string {
  return written.replace(/['"]?[=:]\s*['"]?/, '=').replace(/\.$/, '');
}

const used = texts.flatMap(({ file, code }) =>
  [...code.matchAll(CILIUM_KEY)].map(([written]) => ({ file, key: keyIn(written) })),
);
const OF_OBJECTS: readonly string[] = [...Object.keys(KNOWN_KEYS.annotations), ...Object.keys(KNOWN_KEYS.labels)];

describe('the ledger of the keys of Cilium', () => {
  it('has all annotations and labels that are used', () => {
    expect(used.length).toBeGreaterThan(15);
    expect(used.filter(({ key }) => !OF_OBJECTS.includes(key))).toEqual([]);
  });

  it('has all keys of cilium-config that manifests name', () => {
    const named = texts.flatMap(({ code }) =>
      [...code.matchAll(/configMapKeyRef: \{ name: cilium-config, key: ([\w-]+)/g)].map(([, key]) => key),
    );
    expect(named.length).toBeGreaterThan(3);
    expect(named.filter((key) => !Object.keys(KNOWN_KEYS.config).includes(key ?? ''))).toEqual([]);
  });

  it('has no annotation or label that is not used', () => {
    expect(OF_OBJECTS.filter((key) => !used.some((one) => one.key === key))).toEqual([]);
  });

  it.each(Object.keys(KNOWN_KEYS.config))('has no key of cilium-config that is not used: %s', (key) => {
    const asKey = new RegExp(`'${key}'|(?<![\\w-])${key}:|[cC]onfig\\??\\.${key}\\b|key: ${key}\\b`);
    expect(texts.filter(({ code }) => asKey.test(code)).map(({ file }) => file)).not.toEqual([]);
  });

  it('says where each is from, and the versions that have it', () => {
    for (const facts of Object.values(KNOWN_KEYS)) {
      for (const [key, [file, first, last]] of Object.entries(facts)) {
        expect(file, key).toMatch(/^[a-z][\w./-]+\.(go|yaml)$/);
        expect(Number(first.slice(2)), key).toBeLessThanOrEqual(Number(last.slice(2)));
      }
    }
  });
});

it('a key of cilium-config that is not in the ledger does not compile', () => {
  const { ciliumConfig = {} } = snapshotOf({ ciliumConfig: { 'cluster-name': 'mesh-1' } });
  // @ts-expect-error: invented.
  expect(ciliumConfig['enable-endpoint-slice-synchronization']).toBeUndefined();
  // @ts-expect-error: misspelt.
  expect(isOn(ciliumConfig, 'enable-ip-sec')).toBe(false);
});

it.each<[CiliumConfigKey, string, boolean]>([
  ['cluster-name', '1.16.0', true],
  ['policy-default-local-cluster', '1.17.9', false],
  ['policy-default-local-cluster', '1.18.0', true],
  ['enable-node-port', '1.18.3', true],
  ['enable-node-port', '1.19.0', false],
  // Newer than all that were looked at.
  ['cluster-name', '1.23.0', true],
  ['enable-node-port', '1.23.0', false],
])('whether agents obey %s of version %s: %s', (key, version, obeyed) => {
  const parsed = parseVersion(version);
  expect(parsed && obeysKey(parsed, key)).toBe(obeyed);
});
