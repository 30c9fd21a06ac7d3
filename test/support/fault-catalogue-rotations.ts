import { ROTATION_PHASES } from '../../src/mesh/rotation/phases.ts';
import type { FaultEntry } from './fault.ts';
import { BOTH, type FaultMesh } from './fault-mesh.ts';

/** A rotation of the CAs of both clusters was stopped, once for each phase after which it can be left. */
export const ROTATION_FAULTS: readonly FaultEntry[] = ROTATION_PHASES.slice(0, -1).map((phase, index) => ({
  id: `rotation-stopped-after-${phase}`,
  what: `a rotation of the CAs was stopped when its phase "${phase}" was done`,
  arrange: (mesh) => mesh.replay(`rotation until ${phase}`, () => rotateUntil(mesh, `Phase ${index + 2} of`)),
  status: [],
  check: ['‼tls-rotation'],
  connect: 'keeps',
  // Both CAs are trusted: all goes on, and nothing else is in the way of it.
  unconcerned: ['status', 'connect', 'enable'],
}));

async function rotateUntil({ meshctl }: FaultMesh, words: string): Promise<void> {
  const ctrlC = new AbortController();
  const { stderr } = await meshctl(['clustermesh', 'certs', 'rotate', '--ca', '--yes', '--context', BOTH], {
    signal: ctrlC.signal,
    onOutput: (text) => {
      if (text.includes(words)) ctrlC.abort();
    },
  });
  if (!ctrlC.signal.aborted) throw new Error(`"${words}" was not seen in:\n${stderr}`);
}
