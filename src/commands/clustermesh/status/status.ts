import type { Target } from '../../../flows/flow.ts';
import { readInvitationsIfAllowed, withInvitations } from '../../../flows/invitation/pending.ts';
import type { JudgedInvitations } from '../../../flows/invitation/read-invitations.ts';
import { readUnanswered } from '../../../flows/services/read-unanswered.ts';
import {
  isHealthy,
  isSeenBroken,
  type Look,
  lookAtClusters,
  withContested,
} from '../../../flows/status/look-at-clusters.ts';
import { waitForHealth } from '../../../flows/status/wait-for-health.ts';
import { watchStatus } from '../../../flows/status/watch-status.ts';
import { asLooked, type FirstLook } from '../../../flows/targets/first-look.ts';
import { exitCodeOf, exitOf, MeshctlError } from '../../../mesh/errors.ts';
import type { Contexts } from '../../../mesh/faults/fault-advice.ts';
import { remembered } from '../../../mesh/remembered.ts';
import { lacksOf } from '../../../mesh/status/lacks.ts';
import { evaluateMesh, type MeshStatusReport, withOutside } from '../../../mesh/status/mesh-status.ts';
import { isAlone, type StatusReport } from '../../../mesh/status/status.ts';
import { adviseMesh, unknownContexts } from '../../../mesh/status/status-reasons.ts';
import { howToBegin, type KnownAround } from '../../../mesh/status/whom-to-join.ts';
import { type LackingRights, lackingData, lackingLines } from '../../../views/lacking-view.ts';
import { printable } from '../../../views/printable.ts';
import { meshStatusText } from '../../../views/status/matrix-view.ts';
import { statusJunit } from '../../../views/status/status-junit.ts';
import { statusText } from '../../../views/status/status-view.ts';
import { statusDetailsText, statusWideText } from '../../../views/status/status-wide.ts';
import type { Theme } from '../../../views/theme.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import type { SilentCluster } from '../../targets/each-cluster.ts';
import { lackingToLook } from '../../targets/lacking-rights.ts';
import { unreachableData, withAnsweringClusters, withinWait } from '../../targets/several-clusters.ts';
import { screenOf } from './screen.ts';
import type { STATUS } from './status-spec.ts';

type StatusFlags = FlagsOf<typeof STATUS>;

/** `meshctl clustermesh status`: exit 0 only when every node is connected to every configured peer, 3 when that is so as far as clusters answer and may be read. */
export async function run(context: CommandContext, flags: StatusFlags): Promise<CommandResult> {
  checkFlags(flags);
  const options = {
    parallel: flags.parallel,
    nodeTimeoutMs: flags.nodeTimeout,
    samplePercent: flags.sample,
    details: flags.output === 'wide',
  };
  const waitMs = flags.wait ? flags.waitDuration : 0;
  const deadline = context.clock.ms() + waitMs;
  const work = async (answered: readonly FirstLook[], silent: readonly SilentCluster[]): Promise<CommandResult> => {
    const several = flags.all === true || answered.length + silent.length > 1;
    const contexts = knownContexts(context, flags);
    const othersOf = otherContexts(context, flags);
    const asked = [...answered, ...silent.flatMap(({ target }) => target ?? [])];
    const othersFor = async (report: StatusReport) =>
      !several && report.enabled && isAlone(report) ? othersOf(report) : [];
    const resultOf = async (seen: Look, read?: Invitations) => {
      const isSeen = ({ client }: Target) => seen.reports.some((report) => report.context === client.context);
      const [contested, invitations] = await Promise.all([
        withContested(context, asked, seen),
        read ?? readAllInvitations(context, asked.filter(isSeen)),
      ]);
      const look = withAllInvitations(contested, invitations, context.now());
      const [lone] = look.reports;
      const others = lone ? await othersFor(lone) : [];
      const evaluated = evaluateMesh(look.reports, look.unreachable);
      const mesh = flags.all ? withOutside(evaluated) : evaluated;
      const unanswered = several ? await unansweredIn(context, mesh, asked) : [];
      const blind = look.reports.filter(({ unread = [], invitationsUnread }) => unread.length > 0 || invitationsUnread);
      const lacking = await lackingToLook(
        context,
        asked.filter(({ client }) => blind.some((report) => report.context === client.context)),
      );
      return statusResult(look, mesh, flags, { several, others, contexts: await contexts(mesh), unanswered, lacking });
    };
    // A mesh of which a cluster cannot be asked is not known to be healthy.
    const complete = ({ reports, unreachable }: Look): Look => ({
      reports,
      unreachable: [...unreachableData(silent), ...unreachable],
    });
    if (flags.watch) {
      const show = screenOf(context);
      const next = async (look: Look) => show((await resultOf(look)).text(context.theme), context.now());
      await watchStatus(context, asked, options, next, unreachableData(silent));
      // Only Ctrl-C ends it: that says nothing of the mesh, and 0 would.
      return { kind: 'StatusReport', data: {}, text: () => '', exitCode: exitCodeOf('Interrupted') };
    }
    if (answered.length === 0) return resultOf(complete({ reports: [], unreachable: [] }));
    if (flags.wait) {
      const leftMs = Math.max(0, deadline - context.clock.ms());
      const targetOf = (report: StatusReport) => answered.find(({ client }) => client.context === report.context);
      const withOwn = async (report: StatusReport) => {
        const target = targetOf(report);
        return target
          ? withInvitations(report, await readInvitationsIfAllowed(context, target), context.now())
          : report;
      };
      let last: Look | undefined;
      const onLook = (look: Look) => {
        last = look;
      };
      const aroundOf = async (report: StatusReport): Promise<KnownAround> => ({
        contexts: await contexts(evaluateMesh(last?.reports ?? [report], [])),
        others: await othersFor(report),
      });
      const waiting = { ...options, withInvitations: withOwn, aroundOf, onLook };
      try {
        return await resultOf(complete(await waitForHealth(context, answered, waiting, leftMs)));
      } catch (error) {
        if (!context.signal.aborted || !last || flags.output === 'junit') throw error;
        return lastSeen(complete(last), flags, several);
      }
    }
    const [look, invitations] = await Promise.all([
      lookAtClusters(context, answered.map(asLooked), options),
      readAllInvitations(context, answered),
    ]);
    return resultOf(complete(look), invitations);
  };
  const { watch: isWatched = false } = flags;
  return withAnsweringClusters(context, flags.wait ? withinWait(flags, waitMs) : flags, work, { waitMs, isWatched });
}

/** By context. */
type Invitations = ReadonlyMap<string, JudgedInvitations | undefined>;

async function readAllInvitations(context: CommandContext, targets: readonly Target[]): Promise<Invitations> {
  const read = async (target: Target) =>
    [target.client.context, await readInvitationsIfAllowed(context, target)] as const;
  return new Map(await Promise.all(targets.map(read)));
}

/** The reports with the invitations that wait: who has to act is part of how a cluster stands. */
function withAllInvitations(look: Look, invitations: Invitations, now: Date): Look {
  const withOwn = (report: StatusReport) => withInvitations(report, invitations.get(report.context), now);
  return { ...look, reports: look.reports.map(withOwn) };
}

/** The contexts of peers that were not asked, where a next step would name them: each name is looked for once. */
function knownContexts(context: CommandContext, flags: StatusFlags): (mesh: MeshStatusReport) => Promise<Contexts> {
  const known = new Map<string, string>();
  const sought = new Set<string>();
  return async (mesh) => {
    const names = unknownContexts(mesh).filter((name) => !sought.has(name));
    if (names.length === 0) return known;
    const { contextsFor } = await import('../../targets/contexts-of-clusters.ts');
    const asked = mesh.clusters.map((report) => report.context);
    for (const [name, found] of await contextsFor(context, flags, asked)(names)) known.set(name, found);
    for (const name of names) sought.add(name);
    return known;
  };
}

/** The only other context that a lone cluster can be connected to: looked for once. */
function otherContexts(context: CommandContext, flags: StatusFlags): (report: StatusReport) => Promise<string[]> {
  return remembered(
    async (report: StatusReport) => {
      const { onlyOther } = await import('../../targets/contexts-of-clusters.ts');
      return onlyOther(context, flags, report.context);
    },
    1,
    ({ context: name }) => name,
  );
}

/** Where clusters are one-way, as chosen, which requests get no answer by that. */
async function unansweredIn(
  context: CommandContext,
  mesh: MeshStatusReport,
  asked: readonly Target[],
): Promise<Surroundings['unanswered']> {
  const names = oneWayIn(mesh);
  const concerned = mesh.clusters.flatMap((report) => (names.includes(report.cluster.name) ? [report.context] : []));
  if (concerned.length === 0) return [];
  const targets = asked.filter(({ client }) => concerned.includes(client.context));
  return readUnanswered(context, targets);
}

/** The clusters of connections that are one-way. */
function oneWayIn({ matrix }: MeshStatusReport): string[] {
  return matrix.flatMap(({ from, to, state }) => (state === 'one-way' ? [from, to] : []));
}

function checkFlags(flags: StatusFlags): void {
  const refuse = (message: string, hint: string): never => {
    throw new MeshctlError('Usage', message, { hint });
  };
  if (flags.watch && flags.wait) refuse('--watch and --wait cannot be used together', 'Use only one of them.');
  if (flags.watch && flags.output !== 'summary' && flags.output !== 'wide') {
    refuse(`--watch shows a text, not ${flags.output}`, 'Leave -o out, or give -o wide.');
  }
}

/** What a report has beside what agents said. */
interface Surroundings {
  several: boolean;
  others: readonly string[];
  contexts: Contexts;
  unanswered: NonNullable<MeshStatusReport['unanswered']>;
  lacking: readonly LackingRights[];
}

/** How it was at the last look before Ctrl-C: nothing more is read for it, so that it has no words on why, and no contexts of others. */
function lastSeen(look: Look, flags: StatusFlags, several: boolean): CommandResult {
  const nothingElse = { several, others: [], contexts: new Map(), unanswered: [], lacking: [] };
  const seen = statusResult(look, evaluateMesh(look.reports, look.unreachable), flags, nothingElse);
  return {
    ...seen,
    text: (theme) => [theme.warn(LAST_SEEN), seen.text(theme)].join('\n'),
    exitCode: exitCodeOf('Interrupted'),
    isLastSeen: true,
  };
}

const LAST_SEEN = '⚠️  Interrupted while it waited; this is what was seen last:';

/** A report of one cluster, or of a mesh where several were asked for. */
function statusResult(
  look: Look,
  evaluated: MeshStatusReport,
  { output }: StatusFlags,
  { several, others, contexts, unanswered, lacking: unprinted }: Surroundings,
): CommandResult {
  const exitCode = exitOf({ failed: isSeenBroken(look), unseen: !isHealthy(look) });
  const advised = adviseMesh(evaluated, contexts);
  const mesh = printable(unanswered.length > 0 ? { ...advised, unanswered } : advised);
  const [single] = mesh.clusters;
  const lacking = printable(unprinted);
  const withGrants = (text: (theme: Theme) => string) => (theme: Theme) =>
    [text(theme), ...lackingLines(lacking, theme)].join('\n');
  // The text has them as its headlines.
  const withReasons = (report: StatusReport) => {
    const lacks = lacksOf(report);
    if (lacks.length === 0) return { ...report };
    const hint = howToBegin(report, mesh.clusters, { contexts, others, silent: mesh.unreachable });
    return { ...report, reasons: lacks.map((lack) => ({ ...lack, ...(hint === undefined ? {} : { hint }) })) };
  };
  const junit = () => statusJunit(mesh.clusters, mesh.unreachable, { contexts, others });
  if (several || !single) {
    const text = (theme: Theme) =>
      output === 'wide'
        ? [
            meshStatusText(mesh, theme, contexts, { whole: true }),
            ...mesh.clusters.map((cluster) => statusDetailsText(cluster, theme)),
          ].join('\n\n')
        : meshStatusText(mesh, theme, contexts);
    const data = { ...mesh, clusters: mesh.clusters.map(withReasons), ...lackingData(lacking) };
    return { kind: 'MeshStatusReport', data, text: output === 'junit' ? junit : withGrants(text), exitCode };
  }
  const text = (theme: Theme) =>
    output === 'wide' ? statusWideText(single, theme, contexts, others) : statusText(single, theme, contexts, others);
  const data = { ...withReasons(single), ...lackingData(lacking) };
  return { kind: 'StatusReport', data, text: output === 'junit' ? junit : withGrants(text), exitCode };
}
