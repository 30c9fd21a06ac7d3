/** The policy scenario, where a policy takes effect some time after it is written, as agents regenerate endpoints. */
import { describe, expect, it } from 'vitest';
import type { TestCluster } from '../../src/flows/connectivity/connectivity-clusters.ts';
import { testPolicies } from '../../src/flows/connectivity/connectivity-policy.ts';
import type { Flow } from '../../src/flows/flow.ts';
import { renderConnectivity } from '../../src/manifests/connectivity.ts';
import type { KubeObject } from '../../src/mesh/objects/kube-object.ts';
import { briskClock } from '../support/brisk-clock.ts';
import { CHECKOUT } from '../support/schemas.ts';

const NAMES = ['mesh-1', 'mesh-2'] as const;
const FAMILIES = [{ clusters: [...NAMES] }];

/** How many rounds of who is denied a policy lets through before it is in force. */
const ROUNDS_BEFORE = 2;

/**
 * Clusters whose clients ask each other.
 * @param letsIn whether a policy that is in force at a cluster, and allows the clients of another, lets them in
 */
async function clusters(letsIn: (target: string, from: string) => boolean): Promise<TestCluster[]> {
  /** By target: who is allowed, and how often someone else was let in since. */
  const policies = new Map<string, { allowed: string; rounds: number }>();
  const isLetIn = (target: string, from: string) => {
    const policy = policies.get(target);
    if (!policy) return true;
    if (policy.rounds < ROUNDS_BEFORE) {
      if (from !== policy.allowed) policy.rounds++;
      return true;
    }
    return from === policy.allowed && letsIn(target, from);
  };
  const make = async (name: string, index: number) => {
    const objects = await renderConnectivity(CHECKOUT, { namespace: 'meshctl-test', cluster: name, image: 'agnhost' });
    const allowedBy = (policy: KubeObject) => NAMES.find((one) => JSON.stringify(policy.spec).includes(`"${one}"`));
    const client = {
      context: name,
      apply: async (policy: KubeObject) => {
        policies.set(name, { allowed: allowedBy(policy) ?? '', rounds: 0 });
        return { live: policy };
      },
      delete: async () => void policies.delete(name),
      listAll: async ({ labelSelector }: { labelSelector: string }) => [
        pod(labelSelector.includes('=echo') ? 'echo' : 'client', `10.0.0.${index + 1}`),
      ],
      exec: async ({ command }: { command: readonly string[] }) => {
        const [, last, count] = /http:\/\/10\.0\.0\.(\d):\d+\/hostname\?\[1-(\d+)\]/.exec(command.at(-1) ?? '') ?? [];
        const target = NAMES[Number(last) - 1] ?? '';
        const answer = isLetIn(target, name)
          ? `echo-${target}-6d4cf56db6-x2x9z\nmeshctl-sample:0|200|0.001|10.0.0.${last}|\n`
          : `\nmeshctl-sample:28|000|2.000||timed out\n`;
        return { stdout: answer.repeat(Number(count)), stderr: '', exitCode: 0 };
      },
    };
    const member = { cluster: name, client };
    return { name, namespace: 'meshctl-test', objects, rights: '', member } as unknown as TestCluster;
  };
  return Promise.all(NAMES.map(make));
}

function pod(name: string, address: string): KubeObject {
  const status = {
    phase: 'Running',
    podIP: address,
    podIPs: [{ ip: address }],
    conditions: [{ type: 'Ready', status: 'True' }],
  };
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'meshctl-test' }, spec: {}, status };
}

async function verdicts(letsIn: (target: string, from: string) => boolean): Promise<string[]> {
  const flow = { clock: briskClock(), signal: new AbortController().signal } as unknown as Flow;
  const before = NAMES.flatMap((from) =>
    NAMES.map((to) => ({ scenario: 'pod-to-pod' as const, from, to, result: 'pass' as const, evidence: '' })),
  );
  const options = { before, settleMs: 3000, familiesOf: () => FAMILIES };
  const results = await testPolicies(flow, await clusters(letsIn), options);
  return results.map(({ from, to, result }) => `${from} to ${to}: ${result}`);
}

describe('a policy that is in force only some time after it is written', () => {
  it('lets in who is allowed', async () => {
    expect(await verdicts(() => true)).toEqual([
      'mesh-1 to mesh-1: pass',
      'mesh-2 to mesh-1: pass',
      'mesh-2 to mesh-2: pass',
      'mesh-1 to mesh-2: pass',
    ]);
  });

  it('is seen to keep out whom it allows, as where identities of another cluster do not arrive', async () => {
    expect(await verdicts((target, from) => target === from)).toEqual([
      'mesh-1 to mesh-1: pass',
      'mesh-2 to mesh-1: fail',
      'mesh-2 to mesh-2: pass',
      'mesh-1 to mesh-2: fail',
    ]);
  });
});
