import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type CiliumSettings, DEFAULT_SETTINGS } from '../../src/mesh/cilium/install.ts';

/** Settings that no rule need know, since nothing that meshctl says hangs on them: they are handed to the clustermesh-apiserver only. */
const RENDERED_ONLY: Partial<Record<keyof CiliumSettings, string>> = {
  debug: 'how much programs log',
  endpointSlices: 'from which objects the clustermesh-apiserver reads pods; it publishes the same',
};

const MESH = 'src/mesh';
const RULES = readdirSync(MESH, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts') && file !== join('cilium', 'install.ts'))
  .map((file) => readFileSync(join(MESH, file), 'utf8'));

/** How rules call what a setting is, where they read it from cilium-config by themselves. */
const KEYS: Partial<Record<keyof CiliumSettings, string>> = {
  mcsApi: 'clustermesh-enable-mcs-api',
  defaultGlobalNamespace: 'clustermesh-default-global-namespace',
};

it.each(Object.keys(DEFAULT_SETTINGS) as (keyof CiliumSettings)[])(
  'what Cilium is set to decides something, or is handed on only: %s',
  (name) => {
    const words = [`.${name}`, ...(KEYS[name] ? [`'${KEYS[name]}'`] : [])];
    const isRule = RULES.some((text) => words.some((word) => text.includes(word)));
    expect(isRule, `${name} is read and no rule goes by it`).toBe(RENDERED_ONLY[name] === undefined);
  },
);
