/** Runs of meshctl that others have at work in a cluster: what goes on there may be theirs, and what is typed against it disturbs them. */
import { COMMAND_LINES, contextsIn, kubectlCommand, meshctlCommand } from './command-line.ts';
import { enumerated, uncapital } from './counted.ts';
import { stageOf } from './faults/hint-order.ts';
import { type Hold, holdOf, isAlive } from './hold.ts';
import type { KubeObject } from './objects/kube-object.ts';
import { applyLeaseRef, rotationLeaseRef } from './objects/names.ts';
import { groupBy } from './pairs.ts';
import { markedRuns, WORKING_COMMANDS, type WorkingCommand } from './working-runs.ts';

/** A run by its mark at a Lease in Cilium's namespace. */
export interface RunAtWork {
  command: 'certs rotate' | WorkingCommand;
  /** The machine that it runs on. */
  host: string;
  /** When it began, ISO 8601. */
  since: string;
  /** When it says at the latest again that it is at work, ISO 8601. */
  until: string;
  /** How far it is, where it tells. */
  doing?: string | undefined;
  /** It has not said so again in time: it was killed, its machine has stopped, or a backup has brought the mark back. */
  stale?: true | undefined;
  /** Its process is known to have ended, however good its mark still is; it is stale, too. */
  ended?: true | undefined;
}

/** What is known of runs in a cluster. */
export interface SeenRuns {
  /** Absent where there is none, or their marks could not be read. */
  runs?: readonly RunAtWork[] | undefined;
  /** Marks could not be read: whether a run is at work is not known. */
  runsUnread?: true | undefined;
}

/** What is said of a cluster where marks could not be read. */
export const RUNS_UNREAD = 'whether another run of meshctl is at work is not known, as its Leases could not be read';

/** A cluster with the runs that are at work there. */
export interface HeldCluster extends SeenRuns {
  context: string;
  /** Cilium's. */
  namespace: string;
}

/**
 * The runs by which Leases are marked.
 * @param now by the cluster's clock
 * @param hasEnded whether a run is known to have ended, however good its mark still is
 */
export function runsMarked(
  { rotation, apply }: Record<'rotation' | 'apply', KubeObject | undefined>,
  now: Date,
  hasEnded: (hold: Hold) => boolean = () => false,
): RunAtWork[] {
  const runAs = (command: RunAtWork['command'], hold: Hold): RunAtWork => ({
    command,
    host: hold.host,
    since: hold.since.toISOString(),
    until: hold.until.toISOString(),
    ...(hold.doing === undefined ? {} : { doing: hold.doing }),
    ...(hasEnded(hold) ? { stale: true, ended: true } : isAlive(hold, now) ? {} : { stale: true }),
  });
  const rotating = holdOf('rotation', rotation);
  return [
    ...(rotating ? [runAs('certs rotate', rotating)] : []),
    ...oneEach(markedRuns(apply).map((hold) => runAs(hold.command, hold))),
  ];
}

/** A run may have two marks in a cluster: a disable parts it from its peers as a disconnect does, which says itself that it is at work. */
function oneEach(runs: readonly RunAtWork[]): RunAtWork[] {
  const marks = groupBy(runs, ({ command, host, since, doing }) => JSON.stringify([command, host, since, doing]));
  return [...marks.values()].flatMap((group) => {
    const latest = [...group].sort((a, b) => (a.until < b.until ? 1 : -1));
    return (latest.find(({ stale }) => !stale) ?? latest[0]) as RunAtWork;
  });
}

/** Whether one run is at work in two clusters that has peers be there: what they lack of each other it may just be about to write. */
export function areBeingJoined(one: SeenRuns, other: SeenRuns): boolean {
  const joining = ({ runs = [] }: SeenRuns) =>
    runs.flatMap(({ command, host, since, stale }) => {
      const isJoining = !stale && command !== 'certs rotate' && WORKING_COMMANDS[command] === 'there';
      return isJoining ? [JSON.stringify([command, host, since])] : [];
    });
  const there = joining(other);
  return joining(one).some((run) => there.includes(run));
}

/** A run, and the contexts in which it is marked alike, in words with the next step. */
export interface ToldRun {
  contexts: readonly string[];
  says: string;
  hint: string;
  /** It is no more; absent where it is at work. */
  stale?: true | undefined;
}

/** Whether a rotation of a CA was found unfinished where it was looked for, and how it goes on. */
export interface SoughtRotation {
  /** Absent where none was found. */
  hint?: string | undefined;
  /** None was found where one could not have been seen: looking once more shows no more. */
  unseen?: true | undefined;
}

/**
 * Each run once, however many clusters it is at work in.
 * @param look the command line that looks again, once it has ended
 * @param sought what was found in clusters, by context, of a rotation that may have been left unfinished; undefined where nobody has looked
 */
export function toldRuns(
  clusters: readonly HeldCluster[],
  look: string,
  sought: (contexts: readonly string[]) => SoughtRotation | undefined = () => undefined,
): ToldRun[] {
  const marks = clusters.flatMap(({ runs = [], ...place }) => runs.map((run) => ({ place, run })));
  const alike = groupBy(marks, ({ run: { command, host, since, doing, stale, ended } }) =>
    JSON.stringify([command, host, since, doing, stale, ended]),
  );
  return [...alike.values()].flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    const places = group.map(({ place }) => place);
    const until =
      group
        .map(({ run }) => run.until)
        .sort()
        .at(-1) ?? first.run.until;
    const contexts = places.map(({ context }) => context);
    const { stale } = first.run;
    const told = {
      contexts,
      says: saysRun({ ...first.run, until }),
      hint: nextOf(first.run, places, look, sought(contexts)),
    };
    return [stale ? { ...told, stale } : told];
  });
}

/** The same as warnings of what shows clusters as they are meanwhile. @param look the command line that looks again */
export function runWarnings(clusters: readonly HeldCluster[], look: string): string[] {
  return toldRuns(clusters, look).map(
    ({ contexts, says, hint }) => `${contexts.map((name) => `context "${name}"`).join(', ')}: ${says} → ${hint}`,
  );
}

function saysRun({ command, host, since, until, doing, stale, ended }: RunAtWork): string {
  const at = doing === undefined ? '' : ` (${uncapital(doing)})`;
  if (!stale) return `another run, ${command} on ${host}, is at work there, since ${since}${at}`;
  const begun = `another run, ${command} on ${host}, has begun at ${since}${at}, and`;
  if (ended) return `${begun} its process has ended: it was killed, or its mark has come back with a backup`;
  return `${begun} has neither ended nor been heard of since its mark ran out at ${until}: it was killed, its machine has stopped, or its mark has come back with a backup`;
}

function nextOf(
  run: RunAtWork,
  places: readonly Pick<HeldCluster, 'context' | 'namespace'>[],
  look: string,
  sought: SoughtRotation | undefined,
): string {
  const { command, stale } = run;
  if (!stale) return `${waitFor([run])}: ${look}`;
  const leaseRef = command === 'certs rotate' ? rotationLeaseRef : applyLeaseRef;
  const away = places
    .map((place) => kubectlCommand(place, ['delete', 'lease', leaseRef(place.namespace).name]))
    .join(' && ');
  // Another one may have been meant since: the same would take that back.
  if (command !== 'certs rotate')
    return `If what it had begun is still wanted, run the same ${command} again, which finishes it and takes the mark away; or take the mark away: ${away}`;
  if (sought?.unseen) return `If no rotation is unfinished, which could not be seen, take its mark away: ${away}`;
  if (sought) return sought.hint ?? `Take its mark away, as no rotation is unfinished: ${away}`;
  const context = places.map((place) => place.context);
  const check = meshctlCommand('clustermesh check', { context }, ['--category', 'tls']);
  return `See whether a rotation is unfinished, and how it continues: ${check}; or where none is, take its mark away: ${away}`;
}

function waitFor(runs: readonly Pick<RunAtWork, 'command' | 'host'>[]): string {
  const names = [...new Set(runs.map(({ command, host }) => `${command} on ${host}`))];
  return `Wait until ${enumerated(names)} ${names.length === 1 ? 'has' : 'have'} ended, then look again`;
}

/** What one way of several ends with. */
const NEXT_WAY = /; (?=(?:or|if)\b)/;
/** What is written by no command of ours: a Secret that comes back from its backup, or with a revision of Helm's, whose history only looks. */
const WRITES_BY_HAND = /\brestore (?:Secret|the (?:CA|key))\b/i;

/**
 * A next step while others are at work: what of it only looks. In the place of what writes where a run is at work stands that it is to be
 * waited for: it disturbs that run, or is refused by it, and what it is to mend may be that run's work.
 * @param look the command line that looks again, once it has ended
 */
export function heldBack(hint: string, clusters: readonly HeldCluster[], look: string): string {
  const held = clusters.filter(({ runs = [] }) => runs.some(({ stale }) => !stale));
  if (held.length === 0) return hint;
  const ways = hint.split(NEXT_WAY);
  const heldBy = (way: string) => {
    const written = (way.match(COMMAND_LINES) ?? []).filter((line) => stageOf(line) !== undefined);
    const named = new Set(written.flatMap(contextsIn));
    return held.flatMap(({ context, runs = [] }) => (named.has(context) ? runs.filter(({ stale }) => !stale) : []));
  };
  const waited = ways.flatMap(heldBy);
  if (waited.length === 0) return hint;
  const looks = ways
    .filter((way) => heldBy(way).length === 0 && !WRITES_BY_HAND.test(way))
    .map((way) => way.replace(/^or /, ''));
  return [`${waitFor(waited)}: ${look}`, ...looks.map((way) => `or ${/^if\b/.test(way) ? way : uncapital(way)}`)].join(
    '; ',
  );
}
