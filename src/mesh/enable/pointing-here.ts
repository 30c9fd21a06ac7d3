import { meshctlCommand } from '../command-line.ts';
import { enumerated } from '../counted.ts';
import { MeshctlError } from '../errors.ts';

/** The same run with a choice for the peers that still dial a cluster that is to be disabled. */
export interface ChoicesForPeers {
  disconnect: string;
  leave: string;
}

/** A cluster that is to be disabled. */
export interface LeavingName {
  context: string;
  name: string;
  /** Names of the peers that dial it, and that can be disconnected. */
  dialling: readonly string[];
  /** Of those to which no context leads, so that nobody has seen whether they dial it still, or can end it from here. */
  beyond: readonly string[];
}

/**
 * Who dials a cluster that is gone keeps its backends and sends requests to them, which nobody answers: that is not what --yes agrees
 * to.
 * @throws MeshctlError `Usage`, with the choices that there are
 */
export function requireChoiceFor(leaving: readonly LeavingName[], { disconnect, leave }: ChoicesForPeers): void {
  const says = leaving.flatMap(({ name, dialling, beyond }) => [
    ...(dialling.length > 0 ? [stillDial(name, dialling)] : []),
    ...(beyond.length > 0 ? [mayDial(name, beyond)] : []),
  ]);
  if (says.length === 0) return;
  const dialling = namesOf(leaving, (one) => one.dialling);
  const beyond = namesOf(leaving, (one) => one.beyond);
  const all = [...dialling, ...beyond];
  const [them, they] = pronouns(all);
  const leaveThem = `leave ${them} as ${they}: ${leave}`;
  const first = beyond.length > 0 ? `Disconnect first, and forget ${enumerated(beyond)} if gone` : 'Disconnect first';
  throw new MeshctlError('Usage', says.join('; '), {
    hint:
      dialling.length > 0
        ? `${first}: ${[...forgetting(leaving), disconnect].join(' && ')}; or ${leaveThem}`
        : `Give a kubeconfig that leads to ${them} too, or ${leaveThem}`,
    details: { stillPointingHere: all },
  });
}

/**
 * Who is to be disconnected first and cannot be, as no context leads there, goes on like those of which nothing was said: that --yes
 * with it agrees to no more.
 * @param choices to leave peers as they are only where none is within reach
 * @throws MeshctlError `Usage`, with what can be done
 */
export function requireContextsFor(
  leaving: readonly LeavingName[],
  { disconnect, leave }: { disconnect: string; leave: string | undefined },
): void {
  const says = leaving.flatMap(({ name, beyond }) => (beyond.length > 0 ? [mayDial(name, beyond)] : []));
  if (says.length === 0) return;
  const beyond = namesOf(leaving, (one) => one.beyond);
  const [them, they] = pronouns(beyond);
  const forget = `if gone, forget ${them} first: ${[...forgetting(leaving), disconnect].join(' && ')}`;
  throw new MeshctlError('Usage', says.join('; '), {
    hint: `Give a kubeconfig that leads to ${them} too; or ${forget}${leave === undefined ? '' : `; or leave ${them} as ${they}: ${leave}`}`,
    details: { stillPointingHere: beyond },
  });
}

function stillDial(name: string, dialling: readonly string[]): string {
  const [dial, keep] = dialling.length > 1 ? ['dial', 'keep'] : ['dials', 'keeps'];
  return `${dialling.join(', ')} still ${dial} ${name}, and ${keep} sending requests to its pods when it is gone`;
}

function mayDial(name: string, beyond: readonly string[]): string {
  const [keep, dial] = beyond.length > 1 ? ['keep', 'they still dial'] : ['keeps', 'it still dials'];
  return `no context leads to ${beyond.join(', ')}, which ${keep} sending requests to the pods of ${name} when it is gone, if ${dial} it`;
}

function namesOf(leaving: readonly LeavingName[], which: (one: LeavingName) => readonly string[]): string[] {
  return [...new Set(leaving.flatMap(which))];
}

function pronouns({ length }: readonly string[]): readonly [them: string, they: string] {
  return length > 1 ? ['them', 'they are'] : ['it', 'it is'];
}

/** What has clusters forget those that cannot be told: for these a run with --disconnect is refused no more. */
function forgetting(leaving: readonly LeavingName[]): string[] {
  return leaving.flatMap(({ context, beyond }) =>
    beyond.length > 0
      ? [meshctlCommand('clustermesh disconnect', { context }, ['--peer', beyond.join(','), '--yes'])]
      : [],
  );
}
