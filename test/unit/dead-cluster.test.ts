import { expect, it } from 'vitest';
import { withWayOut } from '../../src/mesh/connect/dead-cluster.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';

const ERROR = new MeshctlError('ClusterUnreachable', 'cannot reach it', { hint: 'Is it up?' });
const FORGET = 'meshctl clustermesh disconnect --context a --peer';

it.each([
  [['mesh-2'], `if that cluster is gone for good, forget it: ${FORGET} mesh-2`],
  [['mesh-2', 'mesh-3'], `forget it, which is mesh-2 or mesh-3: ${FORGET} '<name>'`],
  [[], `forget it: ${FORGET} '<name>'`],
])('a destination that may be gone is forgotten by its name, one of %j', (peers, says) => {
  expect(withWayOut(ERROR, 'c', { context: 'a', peers }).hint).toContain(says);
});
