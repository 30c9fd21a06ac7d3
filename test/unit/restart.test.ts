import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { restartAgents } from '../../src/mesh/cilium/restart-agents.ts';
import { type KubeObject, keyOf } from '../../src/mesh/objects/kube-object.ts';
import { restartWorkloads } from '../../src/mesh/objects/restart.ts';
import { PACKAGE_ROOT } from '../support/schemas.ts';

const REF = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'kube-system', name: 'clustermesh-apiserver' };
const SERVED = 'deployment/clustermesh-apiserver';

function placeOf(spec: object | undefined) {
  const { apiVersion, kind, ...metadata } = REF;
  const objects = new Map(spec ? [[keyOf(REF), { apiVersion, kind, metadata, spec } as KubeObject]] : []);
  return { context: 'a', namespace: 'kube-system', objects };
}

const ROLLOUT = 'kubectl --context a -n kube-system rollout';

it.each<[string, object | undefined, string]>([
  ['is paused', { paused: true }, `${ROLLOUT} resume ${SERVED} && ${ROLLOUT} restart`],
  // kubectl refuses to resume it.
  ['is not', { paused: false }, `${ROLLOUT} restart`],
  ['was not read', undefined, `${ROLLOUT} restart`],
])('a Deployment that %s', (_what, spec, line) => {
  expect(restartWorkloads(placeOf(spec), [SERVED])).toBe(`${line} ${SERVED}`);
  expect(restartAgents(placeOf(spec), [SERVED])).toBe(`${line} daemonset/cilium ${SERVED}`);
});

it('is asked wherever something is restarted: the line is made in one place', () => {
  const src = fileURLToPath(new URL('src', PACKAGE_ROOT));
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));
  expect(files.length).toBeGreaterThan(100);
  const makers = files.filter((file) =>
    /'rollout',\s*'restart'|rollout restart/.test(readFileSync(join(src, file), 'utf8')),
  );
  expect(makers).toEqual([join('mesh', 'objects', 'restart.ts')]);
});
