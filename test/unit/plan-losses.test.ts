import { describe, expect, it } from 'vitest';
import { createTheme } from '../../src/cli/terminal/theme.ts';
import { planResult } from '../../src/commands/plan-result.ts';
import { encodeText } from '../../src/mesh/objects/secret-data.ts';
import { agreementClauses, type Hazard, hazardWords } from '../../src/mesh/plan/agreement.ts';
import type { PeerEffect } from '../../src/mesh/plan/peer-effects.ts';
import type { Step } from '../../src/mesh/plan/plan.ts';
import { lostBackends } from '../../src/mesh/services/lost-backends.ts';
import type { ClusterServices } from '../../src/mesh/services/service-facts.ts';
import { unansweredBetween } from '../../src/mesh/services/unanswered-requests.ts';
import { planText } from '../../src/views/plan/plan-view.ts';
import { namesOf } from '../support/mesh-names.ts';

const plain = await createTheme(false);
/** What a person sees above a question on a small screen. */
const SEEN = 15;

function global(name: string, backends: number, peers: readonly string[]): ClusterServices {
  const ports = [{ name: 'http', port: 80, protocol: 'TCP' }];
  const backend = { address: '10.0.0.1', ready: true, serving: true, terminating: false, ports };
  const service = {
    ...{ namespace: 'default', name: 'web', type: 'ClusterIP', headless: false, selector: {}, ports },
    annotations: { 'service.cilium.io/global': 'true' },
    backends: Array.from({ length: backends }, () => backend),
  };
  const services = new Map([['default/web', service]]);
  return { context: name, cluster: name, globalByDefault: true, peers, namespaces: new Map(), services };
}

/** Clusters that part from mesh-9, which alone serves; some have backends of their own. */
function parting(count: number): { steps: Step[]; hazards: Hazard[] } {
  const names = namesOf(count).filter((name) => name !== 'mesh-9');
  const nine = global('mesh-9', 1, names);
  const hazards = names.flatMap((name, index) =>
    lostBackends({
      of: global(name, index % 3 === 0 ? 0 : 1, ['mesh-9']),
      others: [nine],
      ...{ loses: ['mesh-9'], gains: [], untold: [], changed: name },
    }),
  );
  const steps = ['mesh-9', ...names].map((cluster): Step => {
    const gone = cluster === 'mesh-9' ? names : ['mesh-9'];
    const metadata = { name: 'cilium-clustermesh', namespace: 'kube-system' };
    const data = Object.fromEntries(gone.map((name) => [name, encodeText(`${cluster} dials ${name}`)]));
    return {
      ...{ cluster, action: 'update', changes: [], why: `does not dial ${gone.join(', ')} any more` },
      object: { apiVersion: 'v1', kind: 'Secret', ...metadata },
      before: { apiVersion: 'v1', kind: 'Secret', metadata, data },
      write: { method: 'patch', patch: { data: Object.fromEntries(gone.map((name) => [name, null])) } },
    };
  });
  return { steps, hazards };
}

/** Each name of a cluster alike. */
const alike = (line: string) => line.replaceAll(/mesh-\d+/g, 'mesh-N');

describe('what comes of a long plan', () => {
  const effects: PeerEffect[] = namesOf(12).map((peer, index) => ({
    ...{ cluster: index % 2 === 0 ? 'one' : 'two', peer, why: `its address ${index} goes`, mend: `meshctl x ${index}` },
    becomes: (['cut', 'lost', 'unknown', 'kept'] as const)[index % 4] ?? 'cut',
  }));
  const OPENED = 'all clients get in, until now only those in 10.0.0.0/8';
  const opened: Hazard[] = namesOf(5).map((cluster) => ({ cluster, says: OPENED }));

  it.each<[string, Parameters<typeof planText>[0]]>([
    ['a disconnect', parting(21)],
    ['peers that are cut', { steps: parting(21).steps, effects }],
    ['all of it', { ...parting(21), effects, hazards: [...opened, ...parting(21).hazards] }],
    ['a few clusters', { ...parting(4), effects: effects.slice(0, 4) }],
  ])('stands near its end: %s', (_what, report) => {
    const lines = planText(report, plain).split('\n');
    const end = lines.slice(-SEEN).join('\n');
    for (const { says, cluster } of report.hazards ?? []) {
      expect(end).toContain(says.replace(/^(?:requests from \S+|\S+ loses) /, ''));
      expect(end).toContain(cluster);
    }
    for (const { peer, becomes } of report.effects ?? []) if (becomes !== 'kept') expect(end).toContain(peer);
  });

  it('is said again where it stands among many steps', () => {
    const few = parting(4);
    const said = planText({ ...few, hazards: [...few.hazards, ...opened.slice(0, 4)] }, plain).split('\n');
    expect(said.slice(said.indexOf('What comes of it, in short:'))).toEqual([
      'What comes of it, in short:',
      '  ! requests from mesh-1 for default/web fail, which no other backends serve',
      '  ! requests from mesh-4 for default/web fail, which no other backends serve',
      '  ! mesh-2 loses the backends of mesh-9 for default/web',
      '  ! mesh-3 loses the backends of mesh-9 for default/web',
      `  ! ${OPENED} (contexts ${namesOf(4).join(', ')})`,
      'Plan: 5 to update.',
    ]);
  });

  it('is told once for all clusters that have it alike', () => {
    const { steps, hazards } = parting(21);
    expect(planText({ steps, hazards }, plain)).toMatchInlineSnapshot(`
      "Context mesh-9:
        ~ update Secret kube-system/cilium-clustermesh (does not dial mesh-1, mesh-2, mesh-3, mesh-4, mesh-5, mesh-6, mesh-7, mesh-8, mesh-10, mesh-11, mesh-12, mesh-13, mesh-14, mesh-15, mesh-16, mesh-17, mesh-18, mesh-19, mesh-20, mesh-21 any more)
            keys removed: mesh-1, mesh-10, mesh-11, mesh-12, mesh-13, mesh-14, mesh-15, mesh-16, mesh-17, mesh-18, mesh-19, mesh-2, mesh-20, mesh-21, mesh-3, mesh-4, mesh-5, mesh-6, mesh-7, mesh-8
      Contexts mesh-1, mesh-4, mesh-7, mesh-11, mesh-14, mesh-17 and mesh-20, each:
        ~ update Secret kube-system/cilium-clustermesh (does not dial mesh-9 any more)
            key removed: mesh-9
        ! requests from mesh-1, mesh-4, mesh-7, mesh-11, mesh-14, mesh-17 and mesh-20 for default/web fail, which no other backends serve
      Contexts mesh-2, mesh-3, mesh-5, mesh-6, mesh-8, mesh-10, mesh-12, mesh-13, mesh-15, mesh-16, mesh-18, mesh-19 and mesh-21, each:
        ~ update Secret kube-system/cilium-clustermesh (does not dial mesh-9 any more)
            key removed: mesh-9
        ! mesh-2, mesh-3, mesh-5, mesh-6, mesh-8, mesh-10, mesh-12, mesh-13, mesh-15, mesh-16, mesh-18, mesh-19 and mesh-21 lose the backends of mesh-9 for default/web
      Plan: 21 to update."
    `);
    expect(agreementClauses({ hazards })).toHaveLength(2);
    expect(hazardWords(hazards)).toHaveLength(2);
    const opposite = namesOf(4).flatMap((name) => unansweredBetween(global(name, 0, []), global('a', 1, [])) ?? []);
    expect(hazardWords(opposite.map((one) => ({ cluster: 'a', ...one })))).toEqual([
      'context "a": requests from mesh-1, mesh-2, mesh-3 and mesh-4 for default/web that go to a get no answer',
    ]);
    expect(agreementClauses({ hazards: opened })).toEqual([`${OPENED} (${namesOf(5).join(', ')})`]);
  });

  it('says nothing more than twice, but for names', () => {
    const kept = namesOf(19).map((peer): PeerEffect => ({ cluster: 'mesh-20', peer, becomes: 'restored', why: '' }));
    for (const report of [parting(21), { steps: [], effects: kept }]) {
      const said = planText(report, plain).split('\n').map(alike);
      for (const line of new Set(said)) expect(said.filter((one) => one === line).length, line).toBeLessThanOrEqual(2);
    }
  });

  it('is not said again where all of it is seen', () => {
    const { steps, hazards } = parting(2);
    const few = planResult({ steps, hazards, effects: effects.slice(0, 2) }, 'client', 'text').text(plain);
    expect(few).not.toContain('in short');
  });

  it('is whole as data', () => {
    const { data } = planResult(parting(21), 'client', 'json');
    const { clusters } = data as { clusters: { steps: { secretKeys: unknown[] }[]; hazards?: string[] }[] };
    expect(clusters).toHaveLength(21);
    expect(clusters.flatMap(({ hazards = [] }) => hazards)).toHaveLength(20);
    expect(clusters.every(({ steps }) => steps.every(({ secretKeys }) => secretKeys.length > 0))).toBe(true);
  });
});
