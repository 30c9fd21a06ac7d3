import { expect, it } from 'vitest';
import type { Flow, Target } from '../../src/flows/flow.ts';
import { createClusterWriter } from '../../src/flows/write/apply-clusters.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import type { ReadyWrite, Step } from '../../src/mesh/plan/plan.ts';

const CONTEXTS = Array.from({ length: 8 }, (_, index) => `c${index + 1}`);
const OBJECT: KubeObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'kube-system' } };

it('of many clusters none is written any more once one has refused, but for those that were begun beside it', async () => {
  const asked: string[] = [];
  const targets = CONTEXTS.map((context) => ({
    namespace: 'kube-system',
    client: {
      ...{ context, server: `https://${context}` },
      create: async (object: KubeObject) => {
        asked.push(context);
        if (context === 'c1') throw new MeshctlError('Rejected', 'a webhook says no');
        return { ...object, metadata: { ...object.metadata, resourceVersion: '1' } };
      },
    },
  }));
  const flow = { signal: new AbortController().signal, progress: { warn: () => undefined } } as unknown as Flow;
  const writer = createClusterWriter(flow, targets as unknown as Target[], 2);
  const write: ReadyWrite = { method: 'create', object: OBJECT };
  const steps: Step[] = CONTEXTS.map((cluster) => ({ cluster, action: 'create', object: OBJECT, write }) as never);
  const after = async () => undefined;
  await expect(writer.write(steps, async () => write, after)).rejects.toMatchObject({ code: 'Rejected' });
  expect(asked).toEqual(['c1', 'c2']);
});
