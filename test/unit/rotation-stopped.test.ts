import { expect, it } from 'vitest';
import type { Flow } from '../../src/flows/flow.ts';
import type { PreparedRotation, RotateOptions } from '../../src/flows/rotation/prepare-rotation.ts';
import { sayWhatStands } from '../../src/flows/rotation/what-stands.ts';
import { type ErrorCode, MeshctlError } from '../../src/mesh/errors.ts';

/** What is warned of where a rotation of two clusters has ended before its first phase was done. */
async function saidAfter(code: ErrorCode): Promise<string> {
  const said: string[] = [];
  const flow = { progress: { warn: (words: string) => said.push(words) } } as unknown as Flow;
  const prepared = {
    targets: ['a', 'b'].map((context) => ({ client: { context }, namespace: 'kube-system' })),
    scope: { replace: new Map([['a', 'b']]), changing: new Set(['a', 'b']) },
  } as unknown as PreparedRotation;
  const error = new MeshctlError(code, 'no', { hint: 'Is the cluster up?' });
  await sayWhatStands(flow, prepared, { force: false } as unknown as RotateOptions, { steps: [], members: [], error });
  return said.join('\n');
}

it.each<ErrorCode>(['ClusterUnreachable', 'ApiFailure'])(
  'a rotation that an API server ended by going away in its first phase says how it goes on: %s',
  async (code) => {
    expect(await saidAfter(code)).toBe(
      'Nothing was renewed before it stopped\nTo continue: meshctl clustermesh certs rotate --context a,b --ca',
    );
  },
);

it.each<ErrorCode>(['Forbidden', 'Conflict', 'Interrupted'])(
  'where it would end so again, it does not: %s',
  async (code) => {
    expect(await saidAfter(code)).toBe('Nothing was renewed before it stopped');
  },
);
