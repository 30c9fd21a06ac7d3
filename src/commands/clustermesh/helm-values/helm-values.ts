import { stringify } from 'yaml';
import type { EnableDraft, EnableOptions } from '../../../flows/enable/draft-enable.ts';
import { concernsOthers, draftEnableCluster, draftWithOthers } from '../../../flows/enable/enable.ts';
import { helmCommand, helmValuesOf } from '../../../flows/enable/via-helm.ts';
import type { Target } from '../../../flows/flow.ts';
import { allOrFirstError } from '../../../flows/parallel.ts';
import { formatVersion } from '../../../mesh/cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../../../mesh/cluster-snapshot.ts';
import { shellWord } from '../../../mesh/command-line.ts';
import { chartApplier } from '../../../mesh/enable/helm/chart-issuing.ts';
import { requireSafeForHelm } from '../../../mesh/enable/helm/safety.ts';
import { MeshctlError } from '../../../mesh/errors.ts';
import { cutSentences } from '../../../views/plan/peer-lines.ts';
import { printable, printableLines, printableSentence } from '../../../views/printable.ts';
import type { CommandContext, CommandResult } from '../../command.ts';
import { choicesOf, ciliumVersionOf } from '../../options/enable-options.ts';
import type { FlagsOf } from '../../options/flags-of.ts';
import { namingContexts, withMendsNamed } from '../../targets/contexts-of-clusters.ts';
import { readerOfOthers } from '../../targets/other-clusters.ts';
import { withChosenClusters, withUnanswered } from '../../targets/several-clusters.ts';
import type { HELM_VALUES } from './helm-values-spec.ts';
import { readJoiningPeers } from './joining-peers.ts';

/** As the repository is called in Cilium's documentation. */
const CHART = 'cilium/cilium';

/** It would give one cluster the name and id of another. */
const ONE_DOCUMENT =
  'helm takes only the first of several documents, whichever cluster it is for: give it the values of one cluster at a time';

/** `meshctl clustermesh helm-values`: the values with which Cilium's chart makes the same mesh. */
export async function run(context: CommandContext, flags: FlagsOf<typeof HELM_VALUES>): Promise<CommandResult> {
  const choices = choicesOf(flags);
  if (choices.settings.length > 0) {
    throw new MeshctlError('Usage', '--set has no counterpart among the values of the chart', {
      hint: "Look for one in the chart's values.yaml, and pass it to Helm along with these.",
    });
  }
  const ciliumVersion = flags.ciliumVersion === undefined ? undefined : ciliumVersionOf(flags.ciliumVersion);
  const options = { ...choices, ciliumVersion, image: flags.image, byHelm: true, waitMs: 0 };
  const joiningOf = await readJoiningPeers(context, flags);
  return withChosenClusters(context, flags, async (targets, silent) => {
    const clusters: ClusterValues[] = [];
    const { kubeconfig, as, asGroup } = flags;
    const helm = { chart: CHART, kubeconfig, as, asGroup, env: context.env, cwd: context.cwd };
    const { drafts, others } = await draftAll(context, flags, targets, options);
    for (const { target, draft } of drafts) {
      requireSafeForHelm(draft, others);
      const {
        values,
        notes: ofValues,
        handOver,
        force,
      } = printableLines(helmValuesOf(draft, options, undefined, joiningOf(draft.snapshot)));
      const adoption =
        handOver === undefined
          ? []
          : [
              `Helm refuses to adopt objects that it has not made in ${target.client.context}; hand them over before helm runs, ` +
                `which cuts no peer off: ${handOver}`,
            ];
      const forced = force
        ? ['Helm applies this release server-side: it changes fields that meshctl has set only with --force-conflicts']
        : [];
      const notes = [...(await doubtsOf(context, flags, draft)), ...adoption, ...forced, ...ofValues];
      // In YAML they are comments.
      if (flags.output === 'json') for (const note of notes) context.progress.warn(note);
      const applier = chartApplier(draft.snapshot);
      const whose = applier
        ? `${applier.says}, which applies Cilium's chart ${formatVersion(draft.install.version)}`
        : ['helm', ...helmCommand(target, draft, { ...helm, force })].map(shellWord).join(' ');
      const comments = [`These values are for: ${printable(whose)}`, ...notes];
      clusters.push({ context: target.client.context, values, comments });
    }
    if (flags.output !== 'json' && clusters.length > 1) context.progress.warn(ONE_DOCUMENT);
    const text = flags.output === 'json' ? jsonOf(clusters) : yamlOf(clusters);
    return withUnanswered({ kind: 'HelmValues', data: {}, text: () => text, raw: text }, silent);
  });
}

/** Plans as enable does: with what other clusters say, where a plan hangs on that. */
async function draftAll(
  context: CommandContext,
  flags: FlagsOf<typeof HELM_VALUES>,
  targets: readonly Target[],
  options: EnableOptions,
): Promise<{ drafts: { target: Target; draft: EnableDraft }[]; others: readonly ClusterSnapshot[] }> {
  const drafts = await allOrFirstError(
    targets.map(async (target) => ({ target, draft: await draftEnableCluster(context, target, options) })),
    context.progress,
  );
  if (!drafts.some(({ draft }) => concernsOthers(draft))) return { drafts, others: [] };
  const own = drafts.map(({ draft }) => draft.snapshot);
  const others = [...own, ...(await readerOfOthers(context, flags, targets)())];
  const final = drafts.map(async ({ target, draft }) => {
    return { target, draft: await draftWithOthers(context, draft, { ...options, others }) };
  });
  return { drafts: await Promise.all(final), others };
}

/** What enable would warn of and ask about: who applies the values is asked nothing. */
async function doubtsOf(
  context: CommandContext,
  flags: FlagsOf<typeof HELM_VALUES>,
  { doubts, warnings, effects, hazards }: EnableDraft,
): Promise<string[]> {
  const named = await withMendsNamed(context, flags, effects);
  const says = [
    ...doubts,
    ...hazards.map((hazard) => hazard.says),
    ...(await namingContexts(context, flags, warnings)),
    ...cutSentences(named),
  ];
  return says.map(printableSentence);
}

interface ClusterValues {
  context: string;
  values: Record<string, unknown>;
  /** For people, at the head of the document. */
  comments: readonly string[];
}

/** A document for each cluster. */
function yamlOf(clusters: readonly ClusterValues[]): string {
  const documents = clusters.map(({ context, values, comments }) => {
    const heads = [...(clusters.length > 1 ? [`context ${context}`, ONE_DOCUMENT] : []), ...comments];
    return `${heads.map((line) => `# ${line}\n`).join('')}${stringify(values)}`;
  });
  return documents.join('---\n');
}

/** The values, or where there are several clusters those of each by its context. */
function jsonOf(clusters: readonly ClusterValues[]): string {
  const [first] = clusters;
  const of = Object.fromEntries(clusters.map(({ context, values }) => [context, values]));
  return JSON.stringify(clusters.length === 1 ? first?.values : of, null, 2);
}
