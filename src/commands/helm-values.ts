import { stringify } from 'yaml';
import { planEnableCluster } from '../flows/enable.ts';
import { helmValuesOf } from '../flows/via-helm.ts';
import { MeshctlError } from '../mesh/errors.ts';
import { printableLines } from '../views/printable.ts';
import { type ClusterFlags, withClusters } from './cluster-flags.ts';
import type { CommandContext, CommandResult, ParsedOptions } from './command.ts';
import { type ApiserverFlags, choicesOf, ciliumVersionOf } from './enable-options.ts';

interface HelmValuesFlags extends ClusterFlags, ApiserverFlags {
  context?: string;
  ciliumVersion?: string;
  output: 'yaml' | 'json';
}

/** `meshctl clustermesh helm-values`: the values with which Cilium's chart makes the same mesh. */
export async function run(context: CommandContext, parsed: ParsedOptions): Promise<CommandResult> {
  const flags = parsed as unknown as HelmValuesFlags;
  const choices = choicesOf(flags);
  if (choices.settings.length > 0) {
    throw new MeshctlError('Usage', '--set has no counterpart among the values of the chart', {
      hint: "Look for one in the chart's values.yaml, and give it to Helm beside these.",
    });
  }
  const ciliumVersion = flags.ciliumVersion === undefined ? undefined : ciliumVersionOf(flags.ciliumVersion);
  return withClusters(context, flags, [flags.context], async ([client]) => {
    if (!client) throw new MeshctlError('Bug', 'no cluster was opened');
    const options = { ...choices, ciliumVersion, image: flags.image, waitMs: 0 };
    const draft = await planEnableCluster(context, { client, namespace: flags.namespace }, options);
    const { values, notes } = printableLines(helmValuesOf(draft, options));
    for (const note of notes) context.progress.warn(note);
    const comments = notes.map((note) => `# ${note}\n`).join('');
    const text = flags.output === 'json' ? JSON.stringify(values, null, 2) : `${comments}${stringify(values)}`;
    return { kind: 'HelmValues', data: { values }, text: () => text, raw: text };
  });
}
