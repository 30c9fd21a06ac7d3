/** What was chosen is written down at both sides of a connection: of one that was not looked at, nothing more is known. */
import { describe, expect, it } from 'vitest';
import { evaluateMesh } from '../../src/mesh/status/mesh-status.ts';
import { adviseMesh } from '../../src/mesh/status/status-reasons.ts';
import { createAuthority } from '../../src/pki/authority.ts';
import { generateEcKey } from '../../src/pki/certificate.ts';
import { meshStatusText } from '../../src/views/status/matrix-view.ts';
import { statusJunit } from '../../src/views/status/status-junit.ts';
import { statusText } from '../../src/views/status/status-view.ts';
import { lookAt, type WorldCluster } from '../support/mesh-world.ts';
import { PLAIN } from '../support/plain-theme.ts';

const [A, B] = await Promise.all(['A', 'B'].map((commonName) => createAuthority({ commonName, key: generateEcKey() })));
if (!A || !B) throw new Error('no CAs');

const marks = (mode: string) => ({
  certificates: {},
  peers: { [`meshctl.io/mode.${mode}`]: mode.includes('1') ? 'served' : 'unicast' },
});
/** Dials mesh-2 one-way, as both have on record. */
const CLIENT: WorldCluster = { id: 1, ca: A, dials: { 2: { by: B } }, letsIn: [], annotations: marks('mesh-2') };
const SERVER: WorldCluster = { id: 2, ca: B, dials: {}, letsIn: [1], annotations: marks('mesh-1') };
/** Dials mesh-2, too, both ways. */
const OTHER: WorldCluster = { id: 3, ca: A, dials: { 2: { by: B } } };
const SERVER_OF_TWO: WorldCluster = { ...SERVER, dials: { 3: { by: A } }, letsIn: [1, 3] };

/** Everything that is printed of clusters, in all faces. */
async function printedOf(clusters: readonly WorldCluster[]): Promise<string[]> {
  const { reports, check } = await lookAt(clusters);
  const mesh = evaluateMesh(reports, []);
  return [
    ...reports.map((report) => statusText(report, PLAIN)),
    meshStatusText(mesh, PLAIN),
    statusJunit(adviseMesh(mesh).clusters),
    check()
      .map(({ message = '', hint = '' }) => `${message} ${hint}`)
      .join('\n'),
  ];
}

/** That it dials, as a fact. What is asked, what is to be, and the line of a case that was skipped, are none. */
const DIALS =
  /(?<!whether )mesh-1 (?:still )?dials (?!this cluster one-way"[^>]*>\s*<skipped)|dialled (?:one-way )?by mesh-1|mesh-1[^\n]*: one-way, it dials|← only|one-way, as chosen: mesh-1/g;

describe('that a peer dials this cluster one-way, as chosen', () => {
  it.each<[what: string, clusters: WorldCluster[], isSeen: boolean]>([
    ['a fact where it was looked at', [CLIENT, SERVER], true],
    ['a record alone where it was not', [SERVER], false],
    ['a record alone in a cluster that dials others', [SERVER_OF_TWO], false],
    ['a record alone beside others that were looked at', [SERVER_OF_TWO, OTHER], false],
    ['a record alone where it dials no longer', [{ ...CLIENT, dials: {} }, SERVER], false],
  ])('is told as %s', async (_what, clusters, isSeen) => {
    const printed = (await printedOf(clusters)).join('\n');
    const claims = printed.match(DIALS) ?? [];
    if (isSeen) expect(claims.length, printed).toBeGreaterThan(0);
    else expect(claims, printed).toEqual([]);
  });

  it('is asked of both by the next step, and skipped for a machine', async () => {
    const { reports, isHealthy } = await lookAt([SERVER]);
    expect(isHealthy).toBe(true);
    expect(reports).toMatchObject([{ serves: ['mesh-1'], servesUnseen: ['mesh-1'] }]);
    const text = reports.map((report) => statusText(report, PLAIN, new Map([['mesh-1', 'c1']]))).join('\n');
    expect(text).toContain('✅ mesh-2 dials no cluster, as chosen; mesh-1, which is to dial it, was not read\n');
    expect(text).toContain('→ whether it dials this cluster: meshctl clustermesh status --context c2,c1');
    expect(statusJunit(reports)).toMatch(/name="mesh-1 dials this cluster one-way"[^>]*>\s*<skipped/);
    const both = await lookAt([CLIENT, SERVER]);
    expect(both.reports.flatMap(({ servesUnseen = [] }) => servesUnseen)).toEqual([]);
  });
});
