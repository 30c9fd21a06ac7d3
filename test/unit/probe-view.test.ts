import { describe, expect, it } from 'vitest';
import type { ProbedPath } from '../../src/mesh/probe/paths.ts';
import type { ProbeReport } from '../../src/mesh/probe/report.ts';
import { probeText } from '../../src/views/probe/probe-view.ts';

const plain = { bold: String, dim: String, ok: String, warn: String, fail: String };
const path = (from: string, to: string, verdict: 'open' | 'not-tested'): ProbedPath => ({
  ...{ from, to },
  cells: [{ kind: 'tunnel', protocol: 'udp', port: 8472, verdict, count: 1, tested: 1, planned: 1, required: true }],
});
const report = (more: Partial<ProbeReport>): ProbeReport => ({
  passed: true,
  clusters: ['a', 'b'].map((name) => ({
    ...{ context: name, name: `mesh-${name}`, platform: 'unknown', via: 'pods', nodes: 1, places: [] },
  })),
  paths: [path('mesh-a', 'mesh-b', 'open'), path('mesh-b', 'mesh-a', 'open')],
  ...{ failures: [], untested: [], tests: [], unreachable: [] },
  ...more,
});
const verdictOf = (more: Partial<ProbeReport>) => probeText(report(more), plain).split('\n').at(-1);
const down = { context: 'c', code: 'ClusterUnreachable', message: 'cannot reach it' } as const;

describe('the last line of a probe', () => {
  it('is green where all that the mesh needs was seen to pass', () => {
    expect(verdictOf({})).toMatch(/^✅ The network between mesh-a, mesh-b carries all/);
  });

  it('is never green where a cluster did not answer, or nothing was seen', () => {
    expect(verdictOf({ unreachable: [down] })).toMatch(/^⚠️ .*; context "c" was not probed$/);
    const some = [path('mesh-a', 'mesh-b', 'open'), path('mesh-b', 'mesh-a', 'not-tested')];
    for (const unreachable of [[], [down]]) {
      expect(verdictOf({ paths: [], passed: false, unreachable })).toMatch(
        /^⚠️ {2}The network between mesh-a, mesh-b is not proved; nothing was tested → /,
      );
      expect(verdictOf({ paths: some, passed: false, unreachable })).toMatch(
        /is not proved; not tested: tunnel from mesh-b to mesh-a → meshctl connectivity probe --context a,b -o wide$/,
      );
    }
  });
});
