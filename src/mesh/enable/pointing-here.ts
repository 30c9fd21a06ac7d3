import { MeshctlError } from '../errors.ts';

/** The same run with a choice for the peers that still dial a cluster that is to be disabled. */
export interface ChoicesForPeers {
  disconnect: string;
  leave: string;
}

/**
 * Who dials a cluster that is gone keeps its backends and sends requests to them, which nobody answers: that is not what --yes agrees
 * to.
 * @param name of the cluster
 * @param dialling names of the peers that dial it, and that can be disconnected
 * @param beyond names of those to which no context leads, so that nobody has seen whether they dial it still, or can end it from here
 * @throws MeshctlError `Usage`, with the choices that there are
 */
export function requireChoiceFor(
  name: string,
  { dialling, beyond }: { dialling: readonly string[]; beyond: readonly string[] },
  { disconnect, leave }: ChoicesForPeers,
): void {
  const all = [...dialling, ...beyond];
  if (all.length === 0) return;
  const many = (names: readonly string[]) => names.length > 1;
  const dial = `still ${many(dialling) ? 'dial' : 'dials'} ${name}, and ${many(dialling) ? 'keep' : 'keeps'} sending requests to its pods when it is gone`;
  const unseen = `no context leads to ${beyond.join(', ')}, which ${many(beyond) ? 'keep' : 'keeps'} sending requests to the pods of ${name} when it is gone, if ${many(beyond) ? 'they still dial' : 'it still dials'} it`;
  const says = [
    ...(dialling.length > 0 ? [`${dialling.join(', ')} ${dial}`] : []),
    ...(beyond.length > 0 ? [unseen] : []),
  ];
  const asIs = many(all) ? 'them as they are' : 'it as it is';
  throw new MeshctlError('Usage', says.join('; '), {
    hint:
      dialling.length > 0
        ? `Disconnect first: ${disconnect}; or leave ${asIs}: ${leave}`
        : `Give a kubeconfig that leads to ${many(all) ? 'them' : 'it'} too, or leave ${asIs}: ${leave}`,
    details: { stillPointingHere: all },
  });
}
