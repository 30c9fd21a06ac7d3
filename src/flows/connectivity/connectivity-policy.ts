import type { Expectation, ScenarioResult } from '../../mesh/connectivity/connectivity.ts';
import type { TestedFamily } from '../../mesh/connectivity/tested-families.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { refOf } from '../../mesh/objects/kube-object.ts';
import type { Flow } from '../flow.ts';
import type { TestCluster } from './connectivity-clusters.ts';
import { inFamily, judge, podsAt, withoutFamily } from './connectivity-judge.ts';

export interface PolicyOptions {
  /** Results so far: what is not reached without a policy tells nothing with one. */
  before: readonly ScenarioResult[];
  settleMs: number;
  familiesOf(cluster: TestCluster): readonly TestedFamily[];
}

/**
 * For each cluster: a policy that lets in only its own clients, then one that lets in only those of another cluster, in each
 * family in which its pods are asked; one that the other cluster's pods do not have is skipped.
 */
export async function testPolicies(
  flow: Flow,
  clusters: readonly TestCluster[],
  options: PolicyOptions,
): Promise<ScenarioResult[]> {
  const results = await Promise.all(clusters.map((_target, index) => testTarget(flow, clusters, index, options)));
  return results.flat();
}

async function testTarget(
  flow: Flow,
  clusters: readonly TestCluster[],
  index: number,
  { before, settleMs, familiesOf }: PolicyOptions,
): Promise<ScenarioResult[]> {
  const target = clusters[index];
  const other = clusters[(index + 1) % clusters.length];
  if (!target || !other) return [];
  const names = clusters.map(({ name }) => name);
  const families = familiesOf(target);
  const whereUnreached = ({ family }: TestedFamily) =>
    [target, other].find(({ name }) => !isReached(before, { from: name, to: target.name, family }));
  const results: ScenarioResult[] = [];
  for (const [allowed, denied] of [
    [target, other],
    [other, target],
  ] as const) {
    const about = { scenario: 'policy', from: allowed.name, to: target.name } as const;
    const skip = (family: TestedFamily, evidence: string) =>
      results.push({ ...about, ...inFamily(family), result: 'skip', evidence });
    const reached: TestedFamily[] = [];
    for (const family of families) {
      if (!family.clusters.includes(other.name)) {
        results.push(withoutFamily(about, family, `pods of ${other.name} have no`));
        continue;
      }
      const unreached = whereUnreached(family);
      if (!unreached) reached.push(family);
      else skip(family, `pods of ${target.name} cannot be reached from ${unreached.name} even without a policy`);
    }
    if (reached.length === 0) continue;
    const { client } = target.member;
    const policy = target.objects.policy(allowed.name);
    try {
      await client.apply(policy, { force: true });
    } catch (error) {
      if (!(error instanceof MeshctlError) || !['NotFound', 'Forbidden'].includes(error.code)) throw error;
      for (const family of reached) skip(family, error.message);
      continue;
    }
    for (const family of reached) {
      const destinations = await podsAt(target, family.family);
      const question = (expected: Expectation) => ({
        scenario: 'policy' as const,
        destinations,
        expected,
        names,
        settleMs,
      });
      // Who is allowed is asked once the other is seen kept out: before that the policy may be in force nowhere, and all get in.
      const shut = await judge(flow, denied, question({ kind: 'none' }));
      const open = await judge(flow, allowed, question({ kind: 'only', clusters: [target.name] }));
      results.push({
        ...about,
        ...inFamily(family),
        result: shut.result === 'pass' && open.result === 'pass' ? 'pass' : 'fail',
        evidence: `only ${allowed.name} is allowed in: ${open.evidence}; ${keptOut(denied.name, shut)}`,
        latencyMs: open.latencyMs,
      });
    }
    await client.delete(refOf(policy));
  }
  return results;
}

/** Whether pods of a cluster were reached from another one by their addresses, in a family or any. */
export function isReached(
  results: readonly ScenarioResult[],
  { from, to, family }: Pick<ScenarioResult, 'from' | 'to' | 'family'>,
): boolean {
  return results.some(
    (result) =>
      result.scenario === 'pod-to-pod' &&
      result.from === from &&
      result.to === to &&
      (result.family === undefined || family === undefined || result.family === family) &&
      result.result === 'pass',
  );
}

/** What nobody answers is a success here, so its words are not those of failures. */
function keptOut(name: string, { result, evidence, requests }: ScenarioResult): string {
  if (result !== 'pass' || !requests) return `${name} is not kept out: ${evidence}`;
  return `${name} is kept out: ${requests.answered} of ${requests.sent} answered, as it should be`;
}
