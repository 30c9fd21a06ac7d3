import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type ConnectClusters,
  type SeenRequest,
  startConnectClusters,
  statusIsGreen,
} from '../support/connect-clusters.ts';

/** Requests of one context by what they are about; port-forwards are one for each direction by nature. */
function counts(requests: readonly SeenRequest[], context: string): Record<string, number> {
  const counted: Record<string, number> = { reads: 0, writes: 0, forwards: 0 };
  for (const { context: at, verb, subresource } of requests) {
    if (at !== context) continue;
    const kind =
      subresource === 'portforward' ? 'forwards' : ['get', 'list', 'watch'].includes(verb) ? 'reads' : 'writes';
    counted[kind] = (counted[kind] ?? 0) + 1;
  }
  return counted;
}

/**
 * The bounds grow with the peers where the product asks each of them, so three sizes tell. A mesh of twice as many clusters has
 * four times as many connections, whose handshakes are all that takes long here; it would show nothing else.
 */
describe.each([
  [2, false],
  [5, true],
  [6, false],
])('a full mesh of %i clusters, shared CA: %s', (size, sharedCa) => {
  let clusters: ConnectClusters;
  beforeAll(async () => {
    clusters = await startConnectClusters(size, { sharedCa });
  });
  afterAll(() => clusters?.close());

  it('is connected, kept by a second run, and gone without a trace when disconnected', async () => {
    const before = clusters.objects();

    const connected = await clusters.meshctl(['clustermesh', 'connect', '--all', '-o', 'json']);
    expect(connected.exitCode, connected.stderr).toBe(0);
    const { connections } = JSON.parse(connected.stdout) as { connections: { credential: string }[] };
    expect(connections).toHaveLength(size * (size - 1));
    expect(new Set(connections.map(({ credential }) => credential))).toEqual(
      new Set([sharedCa ? 'shared-ca' : 'per-peer']),
    );

    // As many reads for each cluster, however many there are: 54, and a few looks more at the pilot, whose users become live at
    // their own time. One more for each peer would be size - 1 of them.
    for (const { context } of clusters.clusters) {
      const { reads = 0, writes = 0, forwards = 0 } = counts(clusters.requests, context);
      expect(reads).toBeLessThan(55 + size - 1);
      // Two of them say that it is at work, and no longer.
      expect(writes).toBeLessThanOrEqual(sharedCa ? 7 : 8);
      expect(forwards).toBeGreaterThanOrEqual(size - 1);
      expect(forwards).toBeLessThan(size - 1 + 20);
    }

    const status = await statusIsGreen(clusters);
    expect(status.exitCode, status.stdout + status.stderr).toBe(0);

    const again = await clusters.meshctl(['clustermesh', 'connect', '--all', '--dry-run', '-o', 'json']);
    const { summary } = JSON.parse(again.stdout) as { summary: Record<string, number> };
    expect(summary).toEqual({ create: 0, update: 0, delete: 0, keep: expect.any(Number) });

    const parted = await clusters.meshctl(['clustermesh', 'disconnect', '--all', '--yes']);
    expect(parted.exitCode, parted.stderr).toBe(0);
    expect(clusters.objects()).toEqual(before);
    expect(clusters.errors).toEqual([]);
  }, 240_000);
});
