import { expect, it } from 'vitest';
import type { CommandContext } from '../../src/commands/command.ts';
import type { Found } from '../../src/commands/targets/each-cluster.ts';
import { awaitAnswers } from '../../src/commands/targets/find-clusters.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import { briskClock } from '../support/brisk-clock.ts';

/** A cluster whose API server has come back: with the name that it has in cilium-config, or without that. */
function clientOf(context: string, uid: string, name?: string): ClusterClient {
  const config = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'cilium-config' },
    data: { 'cluster-name': name },
  };
  return {
    context,
    server: `https://${context}`,
    get: async ({ kind }: { kind: string }) =>
      kind === 'Namespace' ? { metadata: { uid } } : name === undefined ? undefined : config,
    listAll: async () => [],
  } as unknown as ClusterClient;
}

it('clusters that answer late are held against those that are there', async () => {
  const clock = briskClock();
  const warnings: string[] = [];
  const leftOut = new Map<string, string>();
  const context = {
    clock,
    leftOut,
    signal: new AbortController().signal,
    progress: { warn: (words: string) => warnings.push(words), start: () => ({ done() {}, stop() {} }) },
  } as unknown as CommandContext;
  const silentOf = (client: ClusterClient) => ({
    context: client.context,
    error: new MeshctlError('ClusterUnreachable', 'no answer'),
    server: client.server,
    target: { client, namespace: 'kube-system', cluster: undefined, uid: undefined },
  });
  const there = clientOf('b', 'u2', 'mesh-2');
  const found: Found = {
    answered: [{ client: there, namespace: 'kube-system', cluster: 'mesh-2', uid: 'u2' }],
    silent: [
      clientOf('c-admin', 'u3', 'mesh-3'),
      clientOf('c-ro', 'u3', 'mesh-3'),
      clientOf('b-ro', 'u2', 'mesh-2'),
      clientOf('none', 'u4'),
    ].map(silentOf),
  };
  const all = await awaitAnswers(context, { all: true } as never, found, clock.ms() + 60_000);
  expect(all.answered.map(({ client }) => client.context)).toEqual(['b', 'c-admin']);
  expect(all.silent).toEqual([]);
  expect(warnings).toEqual([
    'contexts "c-admin" and "c-ro" are the same cluster: "c-admin" is used',
    'contexts "b" and "b-ro" are the same cluster: "b" is used',
    'context "none" is left out: no Cilium in namespace kube-system',
  ]);
  expect([...leftOut]).toEqual([
    ['c-ro', '"c-admin" is the same cluster'],
    ['b-ro', '"b" is the same cluster'],
    ['none', 'no Cilium in namespace kube-system'],
  ]);
});
