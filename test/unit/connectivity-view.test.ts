import { describe, expect, it } from 'vitest';
import type { ConnectivityReport, ScenarioResult } from '../../src/mesh/connectivity/connectivity.ts';
import { connectivityJunit, connectivityText } from '../../src/views/connectivity/connectivity-view.ts';

const plain = { bold: String, dim: String, ok: String, warn: String, fail: (text: string) => `!${text}!` };

const REPORT: ConnectivityReport = {
  passed: false,
  namespace: 'meshctl-test',
  image: 'example.com/echo:1',
  clusters: [
    { context: 'a', name: 'mesh-1' },
    { context: 'b', name: 'mesh-2' },
  ],
  scenarios: [
    { scenario: 'failover', from: 'mesh-1', result: 'pass', evidence: 'taken over after 90 ms' },
    {
      scenario: 'pod-to-pod',
      from: 'mesh-1',
      to: 'mesh-2',
      result: 'fail',
      evidence: '0 of 5 answered; 5 failed: timed out',
      requests: { sent: 5, answered: 0, answeredBy: {}, errors: { 'timed out': 5 } },
    },
    {
      scenario: 'pod-to-pod',
      from: 'mesh-1',
      to: 'mesh-1',
      result: 'pass',
      evidence: '20 of 20 answered (mesh-1 20)',
      latencyMs: { p50: 0.5, p90: 1, p99: 2.25, max: 10 },
    },
    { scenario: 'policy', from: 'mesh-2', to: 'mesh-1', result: 'skip', evidence: 'not <reached>' },
  ],
};

describe('the report of a connectivity test', () => {
  it('shows each scenario with its evidence, latencies and the verdict', () => {
    expect(connectivityText(REPORT, [], plain)).toBe(`pod to pod by address
  ❌ mesh-1 → mesh-2: !0 of 5 answered; 5 failed: timed out!
  ✅ mesh-1 → mesh-1: 20 of 20 answered (mesh-1 20)
failover without local backends
  ✅ from mesh-1: taken over after 90 ms
policy that allows one cluster only
  ⏭️  mesh-2 → mesh-1: not <reached>

latency in ms
                   p50  p90  p99  max
  mesh-1 → mesh-1  0.5  1.0  2.3  10.0

❌ !1 of 4 tests failed, 1 skipped (mesh-1, mesh-2)!
   → Do packets get through? meshctl connectivity probe --context a,b`);
  });

  it.each([
    ['global-service', 'Are they connected? meshctl clustermesh status --context a,b'],
    ['failover', 'What is odd about the clusters: meshctl clustermesh check --context a,b'],
  ] as const)('says where to look when %s fails', (scenario, step) => {
    const scenarios = [{ scenario, from: 'mesh-1', result: 'fail', evidence: 'no answer' } as const];
    expect(connectivityText({ ...REPORT, scenarios }, [], plain)).toContain(`   → ${step}`);
  });

  it('does not speak for a cluster that did not answer, nor for tests that were skipped', () => {
    const passed = REPORT.scenarios.filter(({ result }) => result === 'pass');
    const down = { context: 'c', code: 'ClusterUnreachable', message: 'cannot reach it', hint: 'Reach it.' } as const;
    expect(connectivityText({ ...REPORT, scenarios: passed }, [down], plain)).toContain(
      '⚠️  The 2 tests between mesh-1, mesh-2 passed; context "c" was not tested',
    );
    const skipped = REPORT.scenarios.filter(({ result }) => result === 'skip');
    expect(connectivityText({ ...REPORT, scenarios: skipped }, [], plain)).toContain('Nothing was tested');
    expect(connectivityJunit(REPORT, [down])).toContain(
      '<testcase classname="connectivity.clusters" name="context c">\n      <failure type="ClusterUnreachable" message="cannot reach it">cannot reach it\n→ Reach it.</failure>',
    );
  });

  it('tells what many requests lost, and what is left of the test', () => {
    const scenarios: ScenarioResult[] = [
      ...REPORT.scenarios.filter(({ result }) => result === 'pass'),
      {
        ...{ scenario: 'performance', from: 'mesh-1', to: 'mesh-2', result: 'fail' },
        evidence: '300 of 500 answered (mesh-2 300); 200 failed: timed out',
        latencyMs: { p50: 1, p90: 2, p99: 3, max: 4 },
      },
    ];
    const text = connectivityText({ ...REPORT, scenarios }, [], plain);
    expect(text).toContain('  ❌ mesh-1 → mesh-2: !300 of 500 answered (mesh-2 300); 200 failed: timed out!');
    expect(text).toContain('❌ !1 of 3 tests failed (mesh-1, mesh-2)!\n   → Do packets get through?');
    // The latency is that of many requests.
    expect(text).toMatch(/ max\n +mesh-1 → mesh-2 +1\.0 +2\.0 +3\.0 +4\.0\n\n/);
    const left = [{ context: 'a', message: 'could not remove it', hint: 'kubectl delete it' }];
    const report = { ...REPORT, scenarios: scenarios.slice(0, 2), left };
    expect(connectivityText(report, [], plain)).toContain(
      '⚠️  The 2 tests between mesh-1, mesh-2 passed; not all of the test is removed from context "a"',
    );
    expect(connectivityJunit(report, [])).toContain('<testcase classname="connectivity.removal" name="context a">');
  });

  it('is a JUnit report for pipelines', () => {
    const xml = connectivityJunit(REPORT, []);
    expect(xml).toContain('<testsuite name="meshctl connectivity test" tests="4" failures="1" skipped="1">');
    expect(xml).toContain('<testcase classname="connectivity.pod-to-pod" name="mesh-1 → mesh-1"/>');
    expect(xml).toContain('<failure type="pod-to-pod" message="0 of 5 answered; 5 failed: timed out">');
    expect(xml).toContain('<skipped message="not &lt;reached&gt;"/>');
  });
});
