import { expect, it } from 'vitest';
import type { Flow } from '../../src/flows/flow.ts';
import { noting } from '../../src/flows/noting.ts';
import { nudgePods } from '../../src/flows/write/nudge.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import { type ErrorCode, MeshctlError } from '../../src/mesh/errors.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';

const pod = (name: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'kube-system' },
});
const HINT = 'Grant it: kubectl --context one create role x';
const LATE = 'pods see what was changed once their kubelets look by themselves, a minute or two later';

/** Nudges two pods twice, as connect does. @param fails by pod, or `list` */
async function nudged(fails: Readonly<Record<string, ErrorCode>>) {
  const says = (code: ErrorCode, what: string) =>
    new MeshctlError(code, `context "one": cannot ${what}`, { hint: HINT });
  const told: string[] = [];
  const client = {
    listAll: async () => {
      if (fails.list) throw says(fails.list, 'list pods');
      return [pod('a'), pod('b')];
    },
    patch: async ({ name }: { name: string }) => {
      const code = fails[name];
      if (code) throw says(code, `patch Pod ${name}`);
    },
  } as unknown as ClusterClient;
  const progress = { warn: (text: string) => told.push(text), info: () => undefined, start: () => undefined };
  const signal = new AbortController().signal;
  const { flow, noted } = noting({ progress, signal, now: () => new Date(0) } as unknown as Flow);
  for (const pods of ['apiserver', 'apiserver-and-agents'] as const)
    await nudgePods(flow, { client, namespace: 'kube-system' }, { pods });
  expect(noted()).toEqual(told);
  return told;
}

it.each<[string, Readonly<Record<string, ErrorCode>>, string[]]>([
  ['may be', {}, []],
  ['may not be annotated', { a: 'Forbidden', b: 'Forbidden' }, ['patch Pod a']],
  ['are gone, or may not be annotated', { a: 'NotFound', b: 'Forbidden' }, ['patch Pod b']],
  ['may not be annotated by a rule', { b: 'Rejected' }, ['patch Pod b']],
  ['may not be listed', { list: 'Forbidden' }, ['list pods']],
  ['are gone', { a: 'NotFound' }, []],
  ['are not reached', { a: 'ClusterUnreachable', list: 'ClusterUnreachable' }, []],
])(
  'pods that %s: who may not nudge them is told once what is late for that, and fails in nothing',
  async (_what, fails, refused) => {
    expect(await nudged(fails)).toEqual(refused.map((what) => `context "one": cannot ${what}; ${LATE} → ${HINT}`));
  },
);
