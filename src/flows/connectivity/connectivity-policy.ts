import type { Expectation, ScenarioResult } from '../../mesh/connectivity/connectivity.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { refOf } from '../../mesh/objects/kube-object.ts';
import type { Flow } from '../flow.ts';
import type { TestCluster } from './connectivity-clusters.ts';
import { judge, podsAt } from './connectivity-judge.ts';

/**
 * For each cluster: a policy that lets in only its own clients, then one that lets in only those of another cluster.
 * @param before results so far: what is not reached without a policy tells nothing with one
 */
export async function testPolicies(
  flow: Flow,
  clusters: readonly TestCluster[],
  before: readonly ScenarioResult[],
  settleMs: number,
): Promise<ScenarioResult[]> {
  const results = await Promise.all(
    clusters.map((_target, index) => testTarget(flow, clusters, index, { before, settleMs })),
  );
  return results.flat();
}

async function testTarget(
  flow: Flow,
  clusters: readonly TestCluster[],
  index: number,
  { before, settleMs }: { before: readonly ScenarioResult[]; settleMs: number },
): Promise<ScenarioResult[]> {
  const target = clusters[index];
  const other = clusters[(index + 1) % clusters.length];
  if (!target || !other) return [];
  const names = clusters.map(({ name }) => name);
  const unreached = [target, other].find(({ name }) => !isReached(before, name, target.name));
  const results: ScenarioResult[] = [];
  for (const [allowed, denied] of [
    [target, other],
    [other, target],
  ] as const) {
    const about = { scenario: 'policy', from: allowed.name, to: target.name } as const;
    if (unreached) {
      const evidence = `pods of ${target.name} are not reached from ${unreached.name} without a policy either`;
      results.push({ ...about, result: 'skip', evidence });
      continue;
    }
    const { client } = target.member;
    const policy = target.objects.policy(allowed.name);
    try {
      await client.apply(policy, { force: true });
    } catch (error) {
      if (!(error instanceof MeshctlError) || !['NotFound', 'Forbidden'].includes(error.code)) throw error;
      results.push({ ...about, result: 'skip', evidence: error.message });
      continue;
    }
    const destinations = await podsAt(target);
    const question = (expected: Expectation) => ({
      scenario: 'policy' as const,
      destinations,
      expected,
      names,
      settleMs,
    });
    const [shut, open] = await Promise.all([
      judge(flow, denied, question({ kind: 'none' })),
      judge(flow, allowed, question({ kind: 'only', clusters: [target.name] })),
    ]);
    await client.delete(refOf(policy));
    results.push({
      ...about,
      result: shut.result === 'pass' && open.result === 'pass' ? 'pass' : 'fail',
      evidence: `only ${allowed.name} is allowed in: ${open.evidence}; ${keptOut(denied.name, shut)}`,
      latencyMs: open.latencyMs,
    });
  }
  return results;
}

function isReached(results: readonly ScenarioResult[], from: string, to: string): boolean {
  return results.some(
    (result) =>
      result.scenario === 'pod-to-pod' && result.from === from && result.to === to && result.result === 'pass',
  );
}

/** What nobody answers is a success here, so its words are not those of failures. */
function keptOut(name: string, { result, evidence, requests }: ScenarioResult): string {
  if (result !== 'pass' || !requests) return `${name} is not kept out: ${evidence}`;
  return `${name} is kept out: ${requests.answered} of ${requests.sent} answered, as it should be`;
}
