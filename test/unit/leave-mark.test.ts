import { expect, it } from 'vitest';
import { leaveMark } from '../../src/flows/run-mark.ts';
import type { ClusterClient } from '../../src/kube/client.ts';
import { type ErrorCode, MeshctlError } from '../../src/mesh/errors.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { rotationLeaseRef } from '../../src/mesh/objects/names.ts';
import { woundClock } from '../support/wound-clock.ts';

const REF = rotationLeaseRef('kube-system');
const LEASE = { ...REF, metadata: { name: REF.name } } as unknown as KubeObject;

/** How often a mark is looked for, and whether it is taken away, where looks fail at first. */
async function leaving(code: ErrorCode, failing: number) {
  let looks = 0;
  let isLeft = false;
  const client = {
    get: async () => {
      looks += 1;
      if (looks <= failing) throw new MeshctlError(code, 'no answer', { details: { code: 'ECONNREFUSED' } });
      return LEASE;
    },
    clock: woundClock(),
  } as unknown as ClusterClient;
  await leaveMark(client, REF, async () => {
    isLeft = true;
  });
  return { looks, isLeft };
}

it('takes the mark of a run away once an API server that was away is back', async () => {
  expect(await leaving('ClusterUnreachable', 20)).toEqual({ looks: 21, isLeft: true });
  expect(await leaving('ApiFailure', 8)).toEqual({ looks: 9, isLeft: true });
});

it('gives up where it is refused, and on one that does not come back', async () => {
  expect(await leaving('Forbidden', 1)).toEqual({ looks: 1, isLeft: false });
  expect((await leaving('ClusterUnreachable', 1000)).isLeft).toBe(false);
});
