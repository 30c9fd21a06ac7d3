import { ROTATION_PHASES } from '../../src/mesh/rotation/phases.ts';
import type { FaultEntry } from './fault.ts';
import { BOTH, type FaultMesh, ONE, TWO } from './fault-mesh.ts';
import { saveObjects } from './saved-objects.ts';

/** A rotation of the CAs of both clusters was stopped, once for each phase after which it can be left. */
const STOPPED: readonly FaultEntry[] = ROTATION_PHASES.slice(0, -1).map((phase, index) => ({
  id: `rotation-stopped-after-${phase}`,
  what: `a rotation of the CAs was stopped when its phase "${phase}" was done`,
  arrange: (mesh) => mesh.replay(`rotation until ${phase}`, () => rotateUntil(mesh, `Phase ${index + 2} of`)),
  status: [],
  check: ['‼tls-rotation'],
  connect: 'keeps',
  // Both CAs are trusted: all goes on, and nothing else is in the way of it.
  unconcerned: ['status', 'connect', 'enable'],
}));

export const ROTATION_FAULTS: readonly FaultEntry[] = [
  ...STOPPED,
  {
    id: 'restored-into-rotation',
    what: 'mesh-2 came back from a backup of the middle of a rotation that is over in mesh-1',
    arrange: async (mesh) => {
      await rotateUntil(mesh, 'Phase 3 of');
      const backup = saveObjects([mesh.two]);
      const { exitCode, stderr } = await mesh.meshctl(['clustermesh', 'certs', 'rotate', '--yes', '--context', BOTH]);
      if (exitCode !== 0) throw new Error(stderr);
      await backup.restore();
    },
    noticed: true,
    status: ['peer-ca'],
    check: ['tls-ca-trust', '‼tls-rotation'],
    certs: [`${ONE} peer peer-ca`, `${TWO} peer peer-certificate-issuer`],
    connect: 'changes',
  },
];

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
