import { expect, test } from 'vitest';
import type { ClusterClient } from '../../src/kube/client.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import { readSnapshot } from '../../src/snapshot/read-snapshot.ts';

/**
 * A cluster of which the `failing`-th request fails at once and all others when the client is closed for it: a rejection
 * that nobody hears of ends the whole process.
 */
function clientFailing(failing: number) {
  let count = 0;
  const answer = (): Promise<never> => {
    const error = new MeshctlError('ClusterUnreachable', 'no');
    return count++ === failing ? Promise.reject(error) : new Promise((_, reject) => setImmediate(() => reject(error)));
  };
  const methods = ['get', 'listAll', 'collect', 'version', 'apiGroups'] as const;
  const client = Object.fromEntries(methods.map((method) => [method, answer])) as unknown as ClusterClient;
  return { client: { ...client, context: 'one', server: 'https://one' }, asked: () => count };
}

test.each(['enable', 'connect', 'disconnect', 'health'] as const)(
  'a failing read for %s is one error',
  async (purpose) => {
    const unheard: unknown[] = [];
    const hear = (reason: unknown) => unheard.push(reason);
    process.on('unhandledRejection', hear);
    const { client, asked } = clientFailing(-1);
    await expect(readSnapshot(client, { namespace: 'kube-system', purpose })).rejects.toThrow('no');
    for (let failing = 0; failing < asked(); failing++) {
      await expect(readSnapshot(clientFailing(failing).client, { namespace: 'kube-system', purpose })).rejects.toThrow(
        'no',
      );
    }
    // Node tells of unheard rejections after the microtasks of the turn in which they came.
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    process.off('unhandledRejection', hear);
    expect(asked()).toBeGreaterThan(3);
    expect(unheard).toEqual([]);
  },
);
