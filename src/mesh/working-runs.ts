/** What runs write down that may take their own work back, so that others who find it there can say that they rely on it. */
import { type Hold, parseHold } from './hold.ts';
import type { KubeObject } from './objects/kube-object.ts';
import { fieldsOf } from './record.ts';

/** At a Lease in Cilium's namespace; each run has its own, so that several may be at work. */
const PREFIX = 'meshctl.io/apply-run.';

/** The commands whose runs say so. */
export const WORKING_COMMANDS = ['apply', 'connect', 'disconnect', 'disable', 'accept', 'invitations revoke'] as const;
export type WorkingCommand = (typeof WORKING_COMMANDS)[number];

/** A run at work in a cluster. */
export interface WorkingRun extends Hold {
  /** Marks of former versions, which are of apply alone, do not name it. */
  command: WorkingCommand;
  /** The peers of the cluster that it is about; absent where it may be about all that is there. */
  peers?: readonly string[] | undefined;
  /** It has begun to take back what it wrote. */
  isRollingBack: boolean;
  /** The machine of a run that has found what is wanted there, and that stands on it. */
  reliedOnBy?: string | undefined;
}

/** The mark of a run as an annotation, null for one that is over. */
export function workingAnnotation(run: string, mark: WorkingRun | null): Record<string, string | null> {
  return { [`${PREFIX}${run}`]: mark && JSON.stringify(mark) };
}

/** All runs by whose marks an object is, alive or not. */
export function markedRuns(object: KubeObject | undefined): WorkingRun[] {
  return Object.entries(object?.metadata.annotations ?? {}).flatMap(([name, text]) => {
    const hold = name.startsWith(PREFIX) ? parseHold(text) : undefined;
    if (!hold) return [];
    const { command: said, peers: about, isRollingBack, reliedOnBy } = fieldsOf(JSON.parse(text));
    const command = WORKING_COMMANDS.find((one) => one === said) ?? 'apply';
    const by = typeof reliedOnBy === 'string' ? { reliedOnBy } : {};
    const peers = Array.isArray(about) ? { peers: about.filter((peer) => typeof peer === 'string') } : {};
    return [{ ...hold, command, ...peers, isRollingBack: isRollingBack === true, ...by }];
  });
}

/** Whether what a run does in a cluster may be what another one stands on. @param peers that the other one is about; absent: all */
export function concernsPeers(
  { peers: own }: Pick<WorkingRun, 'peers'>,
  peers: readonly string[] | undefined,
): boolean {
  return !own || !peers || own.some((peer) => peers.includes(peer));
}
