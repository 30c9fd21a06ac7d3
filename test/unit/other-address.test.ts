import { once } from 'node:events';
import { afterEach, expect, it, vi } from 'vitest';
import { awaitOtherAddress } from '../../src/flows/enable/await-apiserver.ts';
import type { Flow, Target } from '../../src/flows/flow.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { loadBalancerService } from '../support/snapshots.ts';

afterEach(() => vi.restoreAllMocks());

/** What is waited for, and what is said of it, where the Service is at each list as given, and no watch tells of a change. */
async function waited(wished: string | undefined, waitMs: number, ...services: KubeObject[]) {
  const spans: number[] = [];
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    spans.push(ms);
    const over = new AbortController();
    setTimeout(() => over.abort(new DOMException('over', 'TimeoutError')), 1);
    return over.signal;
  });
  const lists = [...services];
  const client = {
    context: 'one',
    async *listPages() {
      yield { items: [lists.shift()], resourceVersion: '1' };
    },
    // biome-ignore lint/correctness/useYield: it tells nothing until it is over
    async *watch(_selection: unknown, _version: string, { signal }: { signal: AbortSignal }) {
      await once(signal, 'abort');
      throw signal.reason;
    },
    listAll: async () => [],
    get: async () => services.at(-1),
  };
  const said: string[] = [];
  const task = { done: (text: string) => said.push(text), fail: (text?: string) => void failed.push(text ?? '') };
  const failed: string[] = [];
  const flow = {
    progress: { start: () => task },
    signal: new AbortController().signal,
  };
  const asked = { wished, former: ['10.0.0.1'] };
  const target = { client, namespace: 'kube-system' };
  let error: string | undefined;
  let result: string[] = [];
  try {
    result = await awaitOtherAddress(flow as unknown as Flow, target as unknown as Target, asked, waitMs);
    said.push(...result);
  } catch (thrown) {
    error = (thrown as Error).message;
  }
  // Whoever only reads the document is to know what a line of the progress ended ill with, unless it came to be well after that.
  if (failed.length > 0 && error === undefined) expect(said.length).toBeGreaterThan(0);
  return { spans, said, error };
}

const none = loadBalancerService();
const at = loadBalancerService;

it('has all the time for an address that was withdrawn, and a minute for one that stays', async () => {
  expect(await waited(undefined, 600_000, none, at('10.0.0.2'))).toEqual({
    spans: [60_000, 540_000],
    said: ['one: load balancer at 10.0.0.2'],
  });
  const stays = await waited(undefined, 600_000, at('10.0.0.1'));
  expect(stays.spans).toEqual([60_000]);
  expect(stays.said.at(-1)).toContain('the load balancer has 10.0.0.1 still, 60 s after it was asked for otherwise');
  const { spans, error } = await waited(undefined, 600_000, none, none);
  expect(spans).toEqual([60_000, 540_000]);
  expect(error).toContain('has no address after 600 s');
  expect((await waited(undefined, 30_000, none, none)).error).toContain('has no address after 30 s');
});

it('says that another address than the one that was asked for has come late', async () => {
  expect((await waited('10.0.0.9', 600_000, none, at('10.0.0.9'))).said).toEqual(['one: load balancer at 10.0.0.9']);
  expect((await waited('10.0.0.9', 600_000, none, at('10.0.0.2'))).said.at(-1)).toContain('10.0.0.9');
});
