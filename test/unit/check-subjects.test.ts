/**
 * A check that saw nothing is a skip with its reason, never a pass. For every check of the catalogue there is a mesh in
 * which it passes, and a way to take away what it looks at; a check that is added needs both.
 */
import { describe, expect, it } from 'vitest';
import { describeFindings, MESH_CHECKS, PRE_CHECKS } from '../../src/mesh/checks/catalogue.ts';
import { type Finding, runChecks } from '../../src/mesh/checks/shared/check.ts';
import {
  type ClusterSnapshot,
  MESH,
  only,
  REMOVALS,
  type Removal,
  type SubjectMesh,
} from '../support/check-subjects.ts';

const { wellMesh, withClusters } = MESH;

function findingsOf(id: string, mesh: SubjectMesh): Finding[] {
  const check = MESH_CHECKS.filter((one) => one.id === id).map((one) => ({ ...one, needs: undefined }));
  return runChecks(check, mesh);
}

const severities = (id: string, mesh: SubjectMesh) => findingsOf(id, mesh).map(({ severity }) => severity);

function expectSkips(id: string, mesh: SubjectMesh): void {
  const findings = findingsOf(id, mesh);
  expect(findings.length).toBeGreaterThan(0);
  for (const finding of findings) {
    expect(finding).toMatchObject({ severity: 'skip', args: { reason: expect.stringMatching(/\w/) } });
  }
  for (const { message } of describeFindings(MESH_CHECKS, findings)) {
    expect(message).toMatch(/\w/);
    expect(message).not.toMatch(/undefined|\[object|: $/);
  }
}

describe.each(MESH_CHECKS.map(({ id }) => id))('%s', (id) => {
  const removal: Removal | undefined = REMOVALS[id];

  it('passes where there is something to look at, and that is well', () => {
    expect(severities(id, wellMesh(removal?.settings))).toEqual(['pass']);
  });

  it('is skipped with its reason where what it looks at is taken away', () => {
    if (!removal) throw new Error(`test/support/check-subjects.ts does not say how to take away what ${id} looks at`);
    const mesh = wellMesh(removal.settings);
    expectSkips(id, removal.takeAway(mesh));
  });

  it('is skipped where there is no cluster', () => {
    expectSkips(
      id,
      withClusters(wellMesh(removal?.settings), () => []),
    );
  });

  it('passes nothing of clusters in which nothing could be found', () => {
    const bare = (cluster: ClusterSnapshot) => [only(cluster)];
    expect(severities(id, withClusters(wellMesh(removal?.settings), bare, false))).not.toContain('pass');
  });
});

describe('one cluster alone', () => {
  it.each(['cluster-name-unique', 'pod-cidr-overlap', 'version-skew', 'encryption', 'peers-user'])(
    '%s is skipped',
    (id) =>
      expectSkips(
        id,
        withClusters(wellMesh(), (cluster) => (cluster.context === 'one' ? [cluster] : [])),
      ),
  );
});

it('there is no way to take something away for a check that does not exist', () => {
  const ids = [...MESH_CHECKS, ...PRE_CHECKS].map(({ id }) => id);
  expect(Object.keys(REMOVALS).filter((id) => !ids.includes(id))).toEqual([]);
});
