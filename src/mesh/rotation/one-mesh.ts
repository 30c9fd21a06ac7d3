import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { connectCommand } from '../command-line.ts';
import type { Member } from '../connect/member.ts';
import { MeshctlError } from '../errors.ts';
import { groupBy } from '../pairs.ts';
import { knowsName, meshesAmong } from '../peers/meshes.ts';
import { dialledInstead, dialsAnother } from '../peers/namesakes.ts';
import { rotateCommand } from './rotate-command.ts';

/**
 * Whose certificates are whose, a rotation knows by names, and those are given in each mesh anew: with two meshes at once, a
 * cluster would be given certificates of its peer's namesake, and would let in whom that one's CA has signed.
 * @param choice what was asked for, which is to be asked of each mesh by itself
 * @param others that were read, of which one may be who is dialled
 * @throws MeshctlError `Usage`, with the contexts of each mesh
 */
export function requireOneMesh(
  members: readonly Member[],
  choice: Parameters<typeof rotateCommand>[1],
  others: readonly ClusterSnapshot[] = [],
): void {
  const { peer } = choice;
  const named = groupBy(members, ({ identity }) => identity.name);
  const alike = [...named].find(
    ([name, { length }]) => length > 1 && members.some(({ snapshot }) => knowsName(snapshot, name)),
  );
  if (!alike) {
    requireDialled(members, choice, others);
    return;
  }
  // Of a peer that none of them is, there is more to say.
  if (peer !== undefined && !named.has(peer)) return;
  const [name, clusters] = alike;
  const meshes = meshesAmong(members.map(({ snapshot }) => snapshot)).map((mesh) =>
    members.filter(({ snapshot }) => mesh.includes(snapshot)),
  );
  const isTold = meshes.every((mesh) => groupBy(mesh, ({ identity }) => identity.name).size === mesh.length);
  const lines = meshes
    .filter((mesh) => peer === undefined || mesh.some(({ identity }) => identity.name === peer))
    .map((mesh) => rotateCommand(contextsOf(mesh), choice));
  const words = contextsOf(clusters).map((context) => `"${context}"`);
  throw new MeshctlError(
    'Usage',
    `contexts ${words.join(' and ')} lead to different clusters of the name "${name}", whose certificates would be mixed up`,
    {
      hint: isTold
        ? `Rotate each mesh by itself: ${lines.join(' && ')}`
        : 'Which of them is whose peer cannot be told here: rotate each mesh by itself, and name its clusters with --context.',
      details: { name, contexts: contextsOf(clusters) },
    },
  );
}

/** Also where each name is there once, one of them may be a namesake of the other's peer. */
function requireDialled(
  members: readonly Member[],
  choice: Parameters<typeof rotateCommand>[1],
  others: readonly ClusterSnapshot[],
): void {
  const all = [...members.map(({ snapshot }) => snapshot), ...others];
  for (const { snapshot } of members) {
    const other = members.find((one) => dialsAnother(snapshot, one.identity.name, one.snapshot, all));
    if (!other) continue;
    const [context, there, name] = [snapshot.context, other.snapshot.context, other.identity.name];
    const dialled = dialledInstead(snapshot, name, other.snapshot, all)?.context;
    const meant = contextsOf(members).map((one) => (one === there ? (dialled ?? one) : one));
    throw new MeshctlError(
      'Usage',
      `the ${name} that context "${context}" dials is another cluster than that of context "${there}", whose certificates would be mixed up`,
      {
        hint:
          dialled === undefined
            ? `Rotate each mesh by itself, and name its clusters with --context; or connect ${name} again first, where it was rebuilt: ${connectCommand(context, there)}`
            : `It dials that of context "${dialled}": ${rotateCommand(meant, choice)}`,
        details: { name, contexts: [context, there] },
      },
    );
  }
}

const contextsOf = (members: readonly Member[]): string[] => members.map(({ snapshot }) => snapshot.context);
