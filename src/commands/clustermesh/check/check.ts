import { type Checked, checkClusters, type HeardPeer } from '../../../flows/checks/check.ts';
import type { Target } from '../../../flows/flow.ts';
import type { Unanswered } from '../../../flows/where-it-succeeds.ts';
import {
  ALL_ANSWER,
  type CheckEntry,
  CLUSTER_ANSWERS,
  categoriesOf,
  MESH_CHECKS,
  NO_RUN_AT_WORK,
  NOTHING_CHECKED,
  PRE_CHECKS,
  RUN_AT_WORK,
} from '../../../mesh/checks/catalogue.ts';
import { connectCommand, everyPairFlag, meshctlCommand, nameOthers } from '../../../mesh/command-line.ts';
import { exitOf, isRefusal } from '../../../mesh/errors.ts';
import { saysUnled } from '../../../mesh/peers/peers-outside.ts';
import { remembered } from '../../../mesh/remembered.ts';
import { RUNS_UNREAD, type ToldRun } from '../../../mesh/runs-at-work.ts';
import { type Beside, checkJunit, checkText, type OneSided, type Untried } from '../../../views/checks/check-view.ts';
import { lackingData } from '../../../views/lacking-view.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { requireKnown } from '../../options/option-values.ts';
import { contextsFor, onlyOther, withContextsNamed } from '../../targets/contexts-of-clusters.ts';
import type { SilentCluster } from '../../targets/each-cluster.ts';
import { lackingToLook } from '../../targets/lacking-rights.ts';
import { readerOfOthers } from '../../targets/other-clusters.ts';
import { withAnsweringClusters, withinWait } from '../../targets/several-clusters.ts';
import type { CHECK } from './check-spec.ts';

const LOOK_INTERVAL_MS = 2000;

type CheckFlags = FlagsOf<typeof CHECK>;

/** The category of checks that are about connections. */
const OF_PEERS = 'peers';
/** The categories of checks that are about the way of packets. */
const READ_OF_NETWORK = ['addresses', 'network'];

const NOTHING: Checked = {
  entries: [],
  failed: [],
  outside: [],
  meshes: [],
  unreadMarks: [],
  runs: [],
  runsUnread: [],
  alone: [],
};

/** `meshctl clustermesh check`: exit 1 when a check fails, or with `--fail-on warn` warns; 3 when none does, and a cluster was not read, or not all that checks hang on may be. */
export async function run(context: CommandContext, flags: CheckFlags): Promise<CommandResult> {
  const checks = flags.pre ? PRE_CHECKS : MESH_CHECKS;
  requireKnown('category', flags.category ?? [], categoriesOf(checks));
  requireKnown('check', flags.suppress ?? [], [...MESH_CHECKS.map(({ id }) => id), RUN_AT_WORK, CLUSTER_ANSWERS]);
  const waitMs = flags.wait ? flags.waitDuration : 0;
  const deadline = context.clock.ms() + waitMs;
  const work = async (targets: readonly Target[], silent: readonly SilentCluster[]): Promise<CommandResult> => {
    const notes: string[] = [];
    if (flags.pre && targets.length + silent.length === 1) {
      const one = 'with one cluster nothing is compared, so nothing tells whether it can join others';
      notes.push(`${one} → ${nameOthers('clustermesh check', '--pre')}`);
      context.progress.warn(notes.join());
    }
    const {
      entries: found,
      failed,
      outside,
      meshes,
      unreadMarks,
      runs,
      runsUnread,
      alone,
    } = targets.length > 0
      ? await check(
          context,
          targets,
          flags,
          deadline,
          silent.map((one) => one.context),
        )
      : NOTHING;
    if (meshes.length > 1) {
      const words = meshesWords(meshes);
      notes.push(words);
      context.progress.info(words);
    }
    for (const words of unreadMarks) context.progress.warn(words);
    notes.push(...unreadMarks);
    const answered = targets.length - failed.length;
    const isBlind = runsUnread.length > 0 || found.some(({ blind }) => blind);
    const isUnseen = isBlind || found.some(({ unseen }) => unseen);
    const checked = [...found, ...(answered > 0 ? nothingChecked(found, [...targets, ...silent].length, alone) : [])];
    const entries = [...runs.map(atWork), ...runsUnread.map(maybeAtWork), ...checked];
    const dead = [...silent, ...failed].map(notAnswering);
    const isWhole = flags.all && dead.length === 0 && !flags.suppress?.includes(CLUSTER_ANSWERS);
    const unled = isWhole ? outside.filter(({ isOfOthers, isHeard }) => !isOfOthers && isHeard !== true) : [];
    const unread = [...dead, ...unled.map(leadingNowhere)];
    const asked = [...targets.map(({ client }) => client.context), ...silent.map((one) => one.context)];
    const [named, oneSided] = await Promise.all([
      withContextsNamed(context, flags, [...unread, ...entries], [...silent, ...failed]),
      oneSidedBy(
        context,
        flags,
        outside.filter((peer) => !unled.includes(peer)).map(({ name }) => name),
        asked,
      ),
    ]);
    const lacking = isBlind ? await lackingToLook(context, targets) : [];
    const beside = { lacking, untried: untriedBy(targets, entries, flags), oneSided };
    return resultOf(named, flags, { incomplete: unread.length > 0 || isUnseen, beside, notes: printable(notes) });
  };
  return withAnsweringClusters(context, flags.wait ? withinWait(flags, waitMs) : flags, work, { waitMs });
}

/** That nothing was held against clusters of another mesh, and how it is. */
function meshesWords(meshes: readonly (readonly string[])[]): string {
  const context = [...new Set(meshes.flat())];
  const command = meshctlCommand('clustermesh check', { context }, ['--pre']);
  const lists = meshes.map((contexts) => contexts.join(', ')).join('; ');
  return `Each of ${meshes.length} meshes is judged by itself: ${lists} → whether they can be one: ${command}`;
}

/** What is held against a run, and says nothing of a mesh. */
const UNPROVED: readonly string[] = [CLUSTER_ANSWERS, NOTHING_CHECKED];

const SOMETHING_CHECKED = 'something can be checked';

/** That all was skipped is a finding too, in every format: whoever asks for checks takes silence for well. */
function nothingChecked(entries: readonly CheckEntry[], clusters: number, alone: readonly string[]): CheckEntry[] {
  if (entries.some(({ severity }) => severity !== 'skip')) return [];
  return [
    {
      id: NOTHING_CHECKED,
      category: 'clusters',
      severity: 'fail',
      args: {},
      title: SOMETHING_CHECKED,
      ...(entries.length === 0 ? NONE_LEFT : allSkipped(clusters, alone)),
    },
  ];
}

const NONE_LEFT = { message: 'no check is left of those asked for', hint: 'Take one of them out of --suppress.' };

/** @param alone the contexts of those that are connected to none */
function allSkipped(clusters: number, alone: readonly string[]): Pick<CheckEntry, 'message' | 'hint'> {
  const [first, ...others] = alone;
  if (first !== undefined && others.length > 0 && alone.length === clusters) {
    const connect = connectCommand(first, others, everyPairFlag(alone.length));
    return { message: 'all checks were skipped, and no cluster is connected to another one', hint: connect };
  }
  const hint = clusters === 1 ? nameOthers('clustermesh check') : 'The reason is with each of them.';
  return { message: 'all checks were skipped', hint };
}

/** A cluster that cannot be asked is as much of a finding as what is wrong in the others. */
function notAnswering({ context, error: { message, hint } }: Unanswered): CheckEntry {
  const says = { title: ALL_ANSWER, severity: 'fail', message, hint } as const;
  return { id: CLUSTER_ANSWERS, category: 'clusters', cluster: context, args: { context }, ...says };
}

/**
 * What could not be looked at is a peer to which no context leads, where all clusters were asked for, and of which it was not seen that it
 * is connected. Where one gave no answer nobody knows whether it is that one, and the peer of another owner is theirs to check.
 */
function leadingNowhere(peer: HeardPeer): CheckEntry {
  const { says, hint } = saysUnled(peer, 'only one side of that connection was read', peer.isHeard === false);
  return {
    ...{ id: CLUSTER_ANSWERS, category: 'clusters', args: { peer: peer.name, contexts: peer.holders } },
    ...{ title: ALL_ANSWER, severity: 'fail', unseen: true, message: says, hint },
  };
}

/**
 * That another run is at work: what restarts meanwhile, or is not connected, may be its work. Nothing is wrong with that; one that has died
 * leaves its work undone.
 */
function atWork({ contexts, says, hint, stale }: ToldRun): CheckEntry {
  const [context] = contexts.length === 1 ? contexts : [];
  const place = context === undefined ? { args: { contexts } } : { cluster: context, args: { context } };
  const message = `${contexts.map((name) => `context "${name}"`).join(', ')}: ${says}`;
  const severity = stale ? 'warn' : 'skip';
  return { id: RUN_AT_WORK, category: 'clusters', ...place, title: NO_RUN_AT_WORK, severity, message, hint };
}

/** That no run was seen where none could be is no pass. */
function maybeAtWork(context: string): CheckEntry {
  const message = `context "${context}": ${RUNS_UNREAD}`;
  const args = { context, reason: RUNS_UNREAD };
  return {
    ...{ id: RUN_AT_WORK, category: 'clusters', cluster: context, args },
    ...{ title: NO_RUN_AT_WORK, severity: 'skip', blind: true, message },
  };
}

/** Before the mesh nobody dials anybody: what the checks say of the network is what somebody has written down about it. */
function untriedBy(
  targets: readonly Target[],
  entries: readonly CheckEntry[],
  { pre }: CheckFlags,
): Untried | undefined {
  const read = entries.filter(({ severity, category }) => severity !== 'skip' && READ_OF_NETWORK.includes(category));
  if (!pre || targets.length < 2 || read.length === 0) return undefined;
  const context = targets.map(({ client }) => client.context);
  return {
    checks: [...new Set(read.map(({ id }) => id))],
    hint: `Send some, and see what arrives: ${meshctlCommand('connectivity probe', { context })}`,
  };
}

/**
 * The peers that could be judged from one side only, with the command that reads the other one, as far as contexts lead there.
 * @param asked the contexts of this run: of one that did not answer another check tells
 */
async function oneSidedBy(
  context: CommandContext,
  flags: CheckFlags,
  outside: readonly string[],
  asked: readonly string[],
): Promise<OneSided | undefined> {
  // With all contexts there is none left that could lead to one.
  const contexts = flags.all ? new Map<string, string>() : await contextsFor(context, flags, asked)(outside);
  const peers = outside.filter((peer) => !asked.includes(contexts.get(peer) ?? ''));
  const more = peers.flatMap((peer) => contexts.get(peer) ?? []);
  if (peers.length === 0) return undefined;
  if (more.length === 0) return { peers };
  return { peers, hint: `Read both: ${meshctlCommand('clustermesh check', { context: [...asked, ...more] })}` };
}

interface Outcome {
  /** Not every cluster answers, nor every agent, or may be read as far as checks hang on it. */
  incomplete: boolean;
  beside: Beside;
  /** What of it is only to be known: how clusters were judged. */
  notes: readonly string[];
}

function resultOf(
  entries: readonly CheckEntry[],
  flags: CheckFlags,
  { incomplete, beside: unprinted, notes }: Outcome,
): CommandResult {
  const shown = printable(entries);
  const beside = printable(unprinted);
  const { lacking = [], untried, oneSided } = beside;
  const short = flags.output === 'short';
  // A report without failures is taken for success.
  const isFailure = (entry: CheckEntry) => isBad(entry, flags) || entry.blind === true;
  const junit = () => checkJunit(shown, isFailure, { ...beside, notes });
  return {
    kind: 'CheckReport',
    data: {
      passed: isPassed(entries, flags) && !incomplete,
      checks: shown,
      ...lackingData(lacking),
      ...(untried ? { untried } : {}),
      ...(oneSided ? { oneSided } : {}),
      ...(notes.length > 0 ? { warnings: notes } : {}),
    },
    text: (theme) => (flags.output === 'junit' ? junit() : checkText(shown, { short, ...beside }, theme)),
    exitCode: exitOf({ failed: isProvedBad(entries, flags), unseen: incomplete, unproved: !isPassed(entries, flags) }),
  };
}

async function check(
  context: CommandContext,
  targets: readonly Target[],
  flags: CheckFlags,
  deadline: number,
  silent: readonly string[],
): Promise<Checked> {
  const { pre, category = [], suppress = [], parallel, nodeTimeout } = flags;
  const readOthers = readerOfOthers(context, flags, targets);
  const othersOf = remembered((own: string) => onlyOther(context, flags, own), 1);
  const read = { parallel, nodeTimeoutMs: nodeTimeout, readOthers, othersOf, silent };
  const options = { pre, categories: category, suppress, ...read };
  let said = '';
  for (;;) {
    const checked = await checkClusters(context, targets, options);
    const { failed } = checked;
    const entries = [...checked.runs.map(atWork), ...checked.entries];
    if (failed.some(({ error }) => isRefusal(error)) || isInVain(checked, flags)) return checked;
    if ((failed.length === 0 && isPassed(entries, flags)) || context.clock.ms() + LOOK_INTERVAL_MS > deadline)
      return checked;
    const bad = [...failed.map(notAnswering), ...entries.filter((entry) => isBad(entry, flags))];
    const waiting = bad.length > 0 ? bad.map(({ title }) => title) : [SOMETHING_CHECKED];
    const text = `Waiting until ${[...new Set(waiting)].join('; ')}`;
    if (text !== said) context.progress.info(text);
    said = text;
    await context.clock.sleep(LOOK_INTERVAL_MS, context.signal);
  }
}

/**
 * Whether waiting changes nothing: no check is left of those asked for, or what is bad, or was skipped, is that a cluster is connected
 * to none, where nobody is to be connected to it.
 */
function isInVain({ entries, failed, alone }: Checked, flags: CheckFlags): boolean {
  if (failed.length > 0) return false;
  const isLone = ({ cluster, category }: CheckEntry) => category === OF_PEERS && alone.includes(cluster ?? '');
  return (
    entries.length === 0 ||
    entries.some((entry) => isBad(entry, flags) && isLone(entry)) ||
    entries.every((entry) => entry.severity === 'skip' && isLone(entry))
  );
}

/** Whether something is proved to be bad: that a cluster, or an agent, did not answer, or that nothing else could be looked at, is no proof. */
function isProvedBad(entries: readonly CheckEntry[], flags: CheckFlags): boolean {
  return entries.some((entry) => !UNPROVED.includes(entry.id) && !entry.unseen && isBad(entry, flags));
}

function isBad({ severity }: CheckEntry, { failOn }: CheckFlags): boolean {
  return severity === 'fail' || (failOn === 'warn' && severity === 'warn');
}

/** Nothing is bad, of what was checked: where all was skipped, nobody knows. */
function isPassed(entries: readonly CheckEntry[], flags: CheckFlags): boolean {
  return entries.some(({ severity }) => severity !== 'skip') && !entries.some((entry) => isBad(entry, flags));
}
