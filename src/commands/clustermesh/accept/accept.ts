import { acceptMessage } from '../../../flows/invitation/accept.ts';
import { type PreparedAccept, prepareAccept } from '../../../flows/invitation/prepare-accept.ts';
import { noting } from '../../../flows/noting.ts';
import { requireNoRotation } from '../../../flows/rotation/rotation-hold.ts';
import { tryOnServer } from '../../../flows/write/try-on-server.ts';
import { meshctlCommand } from '../../../mesh/command-line.ts';
import { exitOf, MeshctlError } from '../../../mesh/errors.ts';
import { sourceName } from '../../../mesh/file/fault.ts';
import { fingerprintOf } from '../../../mesh/invitation/fingerprint.ts';
import { parseMessage } from '../../../mesh/invitation/parse-message.ts';
import { isChange } from '../../../mesh/plan/plan.ts';
import { acceptText } from '../../../views/invitation/accept-view.ts';
import { clusterSteps } from '../../../views/plan/plan-data.ts';
import { agreedWords, peersData, planText } from '../../../views/plan/plan-view.ts';
import { printable } from '../../../views/printable.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import {
  type Agreement,
  confirmCuts,
  dryRunOf,
  PROOF,
  planResult,
  refusalByRotation,
  requireAsAgreed,
} from '../../plan-result.ts';
import { withMendsNamed } from '../../targets/contexts-of-clusters.ts';
import { readAlike, readerOfOthers } from '../../targets/other-clusters.ts';
import { withOneCluster } from '../../targets/several-clusters.ts';
import { readTextInput, STANDARD_INPUT } from '../../text-input.ts';
import { offeredEndpoints } from '../invitations/invitation-values.ts';
import { messageResult } from '../invitations/message-result.ts';
import type { ACCEPT } from './accept-spec.ts';

type AcceptFlags = FlagsOf<typeof ACCEPT>;

/** `meshctl clustermesh accept`: takes a message of another owner, and prints the answer to it. */
export async function run(context: CommandContext, flags: AcceptFlags): Promise<CommandResult> {
  const { message: path } = flags;
  const dryRun = dryRunOf(flags);
  const message = parseMessage(await readTextInput(context, path, 'message'), sourceName(path));
  const { skipChecks, proof } = flags;
  return withOneCluster(context, flags, async (target) => {
    const options = {
      ...{ endpoints: offeredEndpoints(flags.endpoint), skipChecks, proof },
      readOthers: readerOfOthers(context, flags, [target]),
      readAlike: () => readAlike(context, flags, target, message.cluster.name),
    };
    const prepared = await prepareAccept(context, target, message, options);
    const { connect, fingerprints } = prepared;
    requireFingerprint(prepared, flags.fingerprint);
    for (const warning of connect.warnings) context.progress.warn(warning);
    const effects = await withMendsNamed(context, flags, connect.effects);
    const { hazards = [], warnings } = connect;
    const report = { steps: [...connect.serve.steps, ...connect.dial.steps], effects, hazards, warnings };
    if (dryRun) {
      for (const line of fingerprintLines(prepared)) context.progress.info(line);
      const verdicts = dryRun === 'server' ? await tryOnServer(context, [target], report.steps) : undefined;
      const onlyInRun = flags.proof !== false && report.steps.some(isChange) ? [PROOF] : [];
      const refused = await refusalByRotation(context, { steps: report.steps, targets: [target] });
      return planResult({ ...report, onlyInRun, ...(verdicts ? { verdicts } : {}) }, dryRun, flags.output, refused);
    }
    // Also before the question about the fingerprints.
    await requireNoRotation(context, [target], report.steps);
    const agreement: Agreement = {
      yes: flags.yes,
      targets: [target],
      planned: [{ target, snapshot: prepared.own.snapshot }],
      hazardsNow: async () => (await prepareAccept(context, target, message, options)).connect.hazards ?? [],
    };
    const { flow, noted } = noting(context);
    const isAsked = await confirmPeer(context, prepared, { ...flags, plan: planText(report, context.theme) });
    if (isAsked) await requireAsAgreed(report, agreement);
    await confirmCuts(flow, report, agreement);
    const { steps, unproved } = await acceptMessage(flow, prepared, {
      proof: flags.proof,
      proofMs: flags.waitDuration,
      rollback: flags.rollback,
      parallel: flags.parallel,
    });
    for (const words of unproved) context.progress.warn(words);
    // What was not asked for is not missed.
    const exitCode = exitOf({ unseen: unproved.length > 0 && flags.proof !== false });
    if (prepared.answer) {
      if (exitCode !== 0) context.progress.warn(lookAgain(prepared, path));
      return { ...messageResult(context, prepared.answer, prepared.peer.identity.name), exitCode };
    }
    const joined = printable({
      context: target.client.context,
      cluster: { name: prepared.own.identity.name, id: prepared.own.identity.id },
      peer: {
        name: prepared.peer.identity.name,
        id: prepared.peer.identity.id,
        endpoints: message.cluster.endpoints,
        fingerprint: fingerprintOf(fingerprints.peer),
      },
      user: connect.directions.find(({ client }) => client === prepared.own)?.credential.user ?? '',
      unproved,
    });
    return {
      kind: 'AcceptResult',
      data: {
        ...joined,
        ...peersData(effects),
        steps: clusterSteps(steps),
        warnings: printable([...new Set([...connect.warnings, ...agreedWords(report), ...noted()])]),
      },
      text: (theme) => acceptText({ ...joined, steps }, theme),
      exitCode,
    };
  });
}

/** What is written stands, and its answer is printed; that it works was not seen. */
function lookAgain({ target, answer }: PreparedAccept, path: string): string {
  const what = `the ${answer?.step} is printed all the same`;
  if (path === STANDARD_INPUT) return `${what}; to look once more, accept the same message again`;
  const { context } = target.client;
  return `${what} → to look once more, which prints it again: ${meshctlCommand('clustermesh accept', { context }, [path])}`;
}

function fingerprintLines({ own, peer, fingerprints }: PreparedAccept): string[] {
  return [
    `The CA of ${peer.identity.name} (theirs): ${fingerprintOf(fingerprints.peer)}`,
    `The CA of ${own.identity.name} (yours): ${fingerprintOf(fingerprints.own)}`,
  ];
}

/** @throws MeshctlError `InvitationRefused` where the other CA is not the one that was named */
function requireFingerprint({ peer, fingerprints }: PreparedAccept, wanted: string | undefined): void {
  if (wanted === undefined || wanted === fingerprints.peer) return;
  throw new MeshctlError(
    'InvitationRefused',
    `the CA of "${peer.identity.name}" has the fingerprint ${fingerprintOf(fingerprints.peer)}, not ${fingerprintOf(wanted)}`,
    {
      hint: 'Ask the other owner for theirs over another channel than the message came by: someone may be intercepting it.',
      details: { reason: 'fingerprint' },
    },
  );
}

/**
 * Shows both fingerprints, and asks; a CA that was agreed to before, or is named by its fingerprint, is not asked about.
 * @returns whether somebody was asked
 */
async function confirmPeer(
  context: CommandContext,
  prepared: PreparedAccept,
  { yes, fingerprint, plan }: Pick<AcceptFlags, 'yes' | 'fingerprint'> & { plan: string },
): Promise<boolean> {
  if (yes || fingerprint !== undefined || prepared.isKnownCa) {
    for (const line of fingerprintLines(prepared)) context.progress.info(line);
    return false;
  }
  const { name } = prepared.peer.identity;
  const about = [
    plan,
    ...fingerprintLines(prepared),
    'Compare both with the other owner, by phone or any other way that proves that it is them.',
  ].join('\n');
  const agreed = await context.confirm(
    `Are the fingerprints the same on both sides, so that ${name} may be let in?`,
    about,
    // Not --yes: who cannot be asked here has to compare elsewhere. Nor the fingerprint itself, which the message brought.
    `Review the plan with --dry-run, ask the owner of "${name}" for their CA's fingerprint over another channel than the message, and give it: ` +
      context.again('--fingerprint', '<SHA256:…>'),
  );
  if (!agreed) throw new MeshctlError('Declined', `nothing was changed: the CA of "${name}" was not confirmed`);
  return true;
}
