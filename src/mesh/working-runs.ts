/** What runs write down that may take their own work back, so that others who find it there can say that they rely on it. */
import { type Hold, parseHold } from './hold.ts';
import type { KubeObject } from './objects/kube-object.ts';
import { fieldsOf } from './record.ts';

/** At a Lease in Cilium's namespace; each run has its own, so that several may be at work. */
const PREFIX = 'meshctl.io/apply-run.';

/** How what a run is about is to be once it has ended. */
export type EndState = 'there' | 'gone';

/** The commands whose runs say so, with what they want of peers and of what those stand on. */
export const WORKING_COMMANDS = {
  apply: 'there',
  connect: 'there',
  accept: 'there',
  disconnect: 'gone',
  disable: 'gone',
  'invitations revoke': 'gone',
} as const satisfies Record<string, EndState>;
export type WorkingCommand = keyof typeof WORKING_COMMANDS;

/** A run at work in a cluster. */
export interface WorkingRun extends Hold {
  /** Marks of former versions, which are of apply alone, do not name it. */
  command: WorkingCommand;
  /** The peers of the cluster that it is about; absent where it may be about all that is there. */
  peers?: readonly string[] | undefined;
  /** Of a run that wants peers to be there: those that it takes out all the same, as apply does with --prune. */
  parts?: readonly string[] | undefined;
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
    const { command: said, peers, parts, isRollingBack, reliedOnBy } = fieldsOf(JSON.parse(text));
    const command = COMMANDS.find((one) => one === said) ?? 'apply';
    const by = typeof reliedOnBy === 'string' ? { reliedOnBy } : {};
    const about = { ...namesIn('peers', peers), ...namesIn('parts', parts) };
    return [{ ...hold, command, ...about, isRollingBack: isRollingBack === true, ...by }];
  });
}

const COMMANDS = Object.keys(WORKING_COMMANDS) as WorkingCommand[];

function namesIn(field: 'peers' | 'parts', said: unknown): Pick<WorkingRun, 'peers' | 'parts'> {
  return Array.isArray(said) ? { [field]: said.filter((peer) => typeof peer === 'string') } : {};
}

/** Who has changed something there, as the subject of a clause. */
export function whoElse(run: Pick<WorkingRun, 'command' | 'host'> | undefined): string {
  return run ? `another run, ${run.command} on ${run.host},` : 'someone else';
}

/** Whether what a run does in a cluster may be what another one stands on. @param peers that the other one is about; absent: all */
export function concernsPeers(
  { peers: own }: Pick<WorkingRun, 'peers'>,
  peers: readonly string[] | undefined,
): boolean {
  return !own || !peers || own.some((peer) => peers.includes(peer));
}

/**
 * Whether what a run writes in a cluster is what another one wants there. Who wants the contrary does not stand on it, and gets what he
 * has found by its being taken back.
 * @param peers that the other one is about; absent: all
 */
export function writesWhat(
  { command, parts = [] }: Pick<WorkingRun, 'command' | 'parts'>,
  wanted: EndState,
  peers: readonly string[] | undefined,
): boolean {
  const writes = peers && parts.some((peer) => peers.includes(peer)) ? 'gone' : WORKING_COMMANDS[command];
  return writes === wanted;
}

/** Whether a run is disabling the cluster that has its mark, and does not only part it from one that it disables. */
export function disablesCluster({ command, peers = [] }: Pick<WorkingRun, 'command' | 'peers'>): boolean {
  return command === 'disable' && peers.length === 0;
}

/** Whether two marks, at whichever clusters, are of one run, which may have several. */
export function isOneRun(
  one: Pick<WorkingRun, 'command' | 'host' | 'since'>,
  other: Pick<WorkingRun, 'command' | 'host' | 'since'>,
): boolean {
  return one.command === other.command && one.host === other.host && one.since.getTime() === other.since.getTime();
}

/** The commands whose work a command undoes when it does its own, for the same peers. */
const UNDOES: Readonly<Partial<Record<WorkingCommand, readonly WorkingCommand[]>>> = {
  connect: ['disconnect', 'invitations revoke'],
  accept: ['disconnect', 'invitations revoke'],
  disconnect: ['connect', 'accept'],
};

/**
 * Whether a run that has come to its end leaves nothing to do of what one that has died had begun in the cluster: it was the same command,
 * or one that undoes it, and that one was of no peer that it was not about itself.
 */
export function finishes(
  { command, peers }: Pick<WorkingRun, 'command' | 'peers'>,
  dead: Pick<WorkingRun, 'command' | 'peers'>,
): boolean {
  const of = dead.peers ?? [];
  const isAboutAll = of.length > 0 && peers !== undefined && of.every((peer) => peers.includes(peer));
  if (dead.command !== command) return isAboutAll && (UNDOES[command]?.includes(dead.command) ?? false);
  // A cluster that is disabled has no peer left, whoever was to go.
  return !peers || disablesCluster({ command, peers }) || isAboutAll;
}
