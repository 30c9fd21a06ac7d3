import pLimit from 'p-limit';
import { describe, expect, it } from 'vitest';
import { untilSettled } from '../../src/flows/etcd/ask-etcd.ts';
import { type ErrorCode, MeshctlError } from '../../src/mesh/errors.ts';
import { woundClock } from '../support/wound-clock.ts';

function settling() {
  const flow = { signal: new AbortController().signal, clock: woundClock() } as unknown as Parameters<
    typeof untilSettled
  >[0];
  const until = <T>(look: (last: boolean, number: number) => T | undefined, deadline = 1000) => {
    let looks = 0;
    return untilSettled(flow, { deadline, intervalMs: 100 }, async (last) => {
      looks += 1;
      return look(last, looks);
    });
  };
  return until;
}
const fail = (code: ErrorCode, details = {}): never => {
  throw new MeshctlError(code, 'no', { details });
};

describe('what is looked at until it is settled', () => {
  it.each<ErrorCode>(['ClusterUnreachable', 'ApiFailure', 'Timeout'])(
    'outlasts an API server that is away for a while (%s)',
    async (code) => {
      const until = settling();
      expect(await until((_, number) => (number < 4 ? fail(code) : number))).toBe(4);
    },
  );

  it('fails with it where it stays away until the end', async () => {
    let looks = 0;
    const away = settling()(() => {
      looks += 1;
      return fail('ClusterUnreachable');
    });
    await expect(away).rejects.toMatchObject({ code: 'ClusterUnreachable' });
    expect(looks).toBe(10);
  });

  it.each([
    ['a refusal', 'Forbidden', {}],
    ['an address with the certificate of another', 'ClusterUnreachable', { code: 'ERR_TLS_CERT_ALTNAME_INVALID' }],
    ['what is decided', 'Conflict', {}],
  ] as const)('ends at once by %s', async (_what, code, details) => {
    let looks = 0;
    const refused = settling()(() => {
      looks += 1;
      return fail(code, details);
    });
    await expect(refused).rejects.toMatchObject({ code });
    expect(looks).toBe(1);
  });
});

it('what takes minutes is looked at ever less often, and seen at most a tenth later than it comes', async () => {
  const clock = woundClock();
  const flow = { signal: new AbortController().signal, clock } as unknown as Parameters<typeof untilSettled>[0];
  const at: number[] = [];
  const waiting = untilSettled(flow, { deadline: 300_000, intervalMs: 250 }, async (last) => {
    at.push(clock.ms());
    return last ? 'over' : undefined;
  });
  expect(await waiting).toBe('over');
  const pauses = at.slice(1).map((ms, index) => ms - (at[index] ?? 0));
  expect(pauses.slice(0, 8)).toEqual(Array(8).fill(250));
  expect(pauses.filter((ms, index) => ms > Math.max(250, Math.min(2_000, (at[index] ?? 0) / 10)) + 1)).toEqual([]);
  expect(pauses.at(-1)).toBe(2_000);
  expect(at.length).toBeLessThan(180);
  expect(at.at(-1)).toBeGreaterThanOrEqual(298_000);
});

describe('clusters that are looked at in turns', () => {
  it('each have their time, which does not go by while they wait for their turn', async () => {
    const clock = woundClock();
    const flow = { signal: new AbortController().signal, clock } as unknown as Parameters<typeof untilSettled>[0];
    const limit = pLimit(1);
    const looks = [0, 0, 0];
    const settled = looks.map((_, cluster) =>
      untilSettled(flow, { deadline: 1500, intervalMs: 100, limit }, async (last, deadline) => {
        looks[cluster] = (looks[cluster] ?? 0) + 1;
        expect(deadline - clock.ms()).toBeGreaterThan(0);
        await clock.sleep(400, flow.signal);
        return !last && looks[cluster] === 2 ? cluster : undefined;
      }),
    );
    expect(await Promise.all(settled)).toEqual([0, 1, 2]);
    expect(looks).toEqual([2, 2, 2]);
  });
});
