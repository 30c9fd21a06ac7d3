import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { execInside, type TestSandbox } from './sandbox-mesh.ts';

/** Each client; the work itself shall have the machine for the rest of the time. */
const CONNECTS_EVERY_MS = 10;

/**
 * Makes connections with what the pods have mounted, over and over, while work goes on: from KVStoreMesh to the peer and
 * from the agents to their cache.
 */
export async function whileConnecting<T>(
  sandbox: TestSandbox,
  contexts: readonly string[],
  work: () => Promise<T>,
): Promise<{ attempts: number; refused: string[]; result: T }> {
  const refused: string[] = [];
  const end = new AbortController();
  const ending = once(end.signal, 'abort');
  const settled = () =>
    Promise.all(sandbox.clusters.flatMap((one) => (contexts.includes(one.context) ? [one.settled()] : [])));
  let attempts = 0;
  const poll = async (context: string, label: string, container: string, command: string[]) => {
    let endedBefore = false;
    for (; !end.signal.aborted; await pause(CONNECTS_EVERY_MS)) {
      // A pod that goes away in the middle of a question has no answer; its successor is asked next.
      const answer = await execInside(sandbox, context, label, container, command).catch(() => undefined);
      if (!answer) continue;
      attempts += 1;
      // So has a connection whose server's pod ends in the middle of it, or has ended before the load balancer heard of it:
      // the next one must succeed.
      const failures = answer.stdout.split('\n').filter((line) => line.includes('❌'));
      const ended = failures.filter((line) =>
        /error reading from server: EOF|connection refused|read ECONNRESET/.test(line),
      );
      refused.push(...failures.filter((line) => !ended.includes(line)), ...(endedBefore ? ended : []));
      endedBefore = ended.length > 0;
      // On a busy machine the load balancer may take longer than the next try.
      if (endedBefore) await Promise.race([settled(), ending]);
    }
  };
  const polls = contexts.flatMap((context) => [
    poll(context, 'cilium', 'cilium-agent', ['cilium-dbg', 'troubleshoot', 'clustermesh']),
    poll(context, 'clustermesh-apiserver', 'kvstoremesh', [
      ...['/usr/bin/clustermesh-apiserver', 'kvstoremesh-dbg', 'troubleshoot'],
    ]),
  ]);
  try {
    const result = await work();
    return { attempts, refused, result };
  } finally {
    end.abort();
    await Promise.all(polls);
  }
}
