import { expect, it } from 'vitest';
import { appliedText } from '../../src/views/file/apply-view.ts';
import { PLAIN } from '../support/plain-theme.ts';

const STILL = { cluster: 'gone', says: 'Service a/b stays: made by Argo CD', hint: 'Remove it there' };

it.each([
  [true, [], /^✅ /],
  [false, [], /^⚠️ {2}.*, but this could not be verified everywhere$/m],
  [true, [STILL], /^⚠️ {2}.*, but Cluster Mesh is still enabled in gone$/m],
])('apply is green only where what it took away was seen to be gone: %s %o', (verified, stillEnabled, head) => {
  const step = {
    cluster: 'one',
    action: 'delete' as const,
    object: { apiVersion: 'v1', kind: 'Secret', name: 'a' },
    changes: [],
    why: '',
  };
  const applied = {
    enabled: [],
    connections: [],
    parted: [],
    shutOut: [],
    disabled: [],
    stillEnabled,
    steps: [step],
    warnings: [],
    verified,
    failed: false,
  };
  const shown = {
    files: ['mesh.yaml'],
    meshes: ['a'],
    clusters: [{ name: 'mesh-1', context: 'one' }],
    applied,
    dials: [],
    left: 0,
  };
  expect(appliedText(shown, PLAIN)).toMatch(head);
});
