import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { REMOTE_USERS_CONFIGMAP } from '../../src/mesh/objects/names.ts';
import { PEER_SECRETS } from '../../src/mesh/peers/peers.ts';
import { blocksOf } from '../support/doc-blocks.ts';

interface Named {
  kind: string;
  name: string;
}

interface Owner {
  kind: string;
  spec: {
    ignoreDifferences?: (Named & { jsonPointers: string[] })[];
    syncPolicy?: { syncOptions: string[] };
    driftDetection?: { mode: string; ignore: { paths: string[]; target: Named }[] };
  };
}

const documents = blocksOf('docs/gitops.md')
  .filter(({ language }) => language === 'yaml')
  .map(({ text }) => parse(text) as Owner);

/** What connect writes to. */
const WRITTEN = [`ConfigMap ${REMOTE_USERS_CONFIGMAP}`, ...PEER_SECRETS.map((name) => `Secret ${name}`)].sort();
const named = (all: readonly Named[]) => all.map(({ kind, name }) => `${kind} ${name}`).sort();

it("what Argo CD is told to leave alone are connect's objects", () => {
  const { spec } = documents.find(({ spec: { ignoreDifferences } }) => ignoreDifferences) as Owner;
  expect(named(spec.ignoreDifferences ?? [])).toEqual(WRITTEN);
  expect(spec.ignoreDifferences?.every(({ jsonPointers }) => jsonPointers.join() === '/data')).toBe(true);
  expect(spec.syncPolicy?.syncOptions).toContain('RespectIgnoreDifferences=true');
});

it("what Flux is told to leave alone are connect's objects", () => {
  const { driftDetection } = (documents.find(({ spec }) => spec.driftDetection) as Owner).spec;
  expect(named((driftDetection?.ignore ?? []).map(({ target }) => target))).toEqual(WRITTEN);
  expect(driftDetection?.ignore.every(({ paths }) => paths.join() === '/data')).toBe(true);
});
