import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DEMO_FILES } from '../../flows/demo/rebel-base.ts';
import {
  compareVersions,
  OLDEST_SUPPORTED,
  parseVersion,
  supportedRange,
} from '../../mesh/cilium/versions/versions.ts';
import { meshctlCommand } from '../../mesh/command-line.ts';
import { counted } from '../../mesh/counted.ts';
import { MeshctlError } from '../../mesh/errors.ts';
import { networkRuleObject } from '../../sandbox/controllers/network-rule.ts';
import { nodeName } from '../../sandbox/fixtures/nodes.ts';
import type { Provider } from '../../sandbox/fixtures/providers.ts';
import type { SandboxClusterOptions } from '../../sandbox/options.ts';
import { resolveProfiles } from '../../sandbox/options.ts';
import type { NetworkRule } from '../../sandbox/pods/network-rules.ts';
import { parseRules, requirePlaces } from '../../sandbox/pods/rule-text.ts';
import { startSandbox } from '../../sandbox/sandbox.ts';
import { sandboxText } from '../../views/sandbox/sandbox-view.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { FlagsOf } from '../options/flags-of.ts';
import { requireKnown } from '../options/option-values.ts';
import { untilAborted } from '../until-aborted.ts';
import { kubeconfigIn, leaveFolder, runInBackground, sandboxNameOf, startInBackground } from './background.ts';
import type { SANDBOX_UP } from './up-spec.ts';

/** As operators name them. */
const PROVIDER_NAMES: ReadonlyMap<string, Provider> = new Map([
  ['gke', 'gce'],
  ['eks', 'aws'],
  ['aks', 'azure'],
  ['kind', 'kind'],
  ['bare-metal', 'bare-metal'],
]);
const DEFAULT_CLUSTERS = 2;

/** What each cluster is like. @throws MeshctlError `Usage` for a provider that there is not, or as many as no cluster has */
function clustersOf({ clusters, provider = [] }: FlagsOf<typeof SANDBOX_UP>): SandboxClusterOptions[] {
  requireKnown('provider', provider, [...PROVIDER_NAMES.keys()]);
  const count = clusters ?? (provider.length > 1 ? provider.length : DEFAULT_CLUSTERS);
  if (provider.length > 1 && provider.length !== count) {
    throw new MeshctlError('Usage', `--provider names ${provider.length} providers for ${counted(count, 'cluster')}`, {
      hint: 'Name one for all, or one for each cluster.',
    });
  }
  // As contexts of real clusters mostly are, and as the documentation has them.
  const areNames = provider.length > 1 && new Set(provider).size === provider.length;
  return Array.from({ length: count }, (_, index) => {
    const name = provider[index] ?? provider[0] ?? '';
    const known = PROVIDER_NAMES.get(name);
    return known ? { provider: known, ...(areNames ? { context: name } : {}) } : {};
  });
}

/** `meshctl sandbox up`: runs embedded clusters until Ctrl-C, or in the background, and leaves nothing behind. */
export async function run(context: CommandContext, flags: FlagsOf<typeof SANDBOX_UP>): Promise<CommandResult> {
  const { nodes, ciliumVersion, backgroundFolder } = flags;
  const clusters = clustersOf(flags);
  requireKnownVersion(ciliumVersion);
  const rules = rulesOf(flags, clusters);
  const simulated = counted(clusters.length, 'simulated cluster');
  const task = context.progress.start(`Starting ${simulated}`);
  const isUp = () => task.done(`${simulated} with Cilium ${ciliumVersion} ${clusters.length === 1 ? 'is' : 'are'} up`);
  const failed = (error: unknown) => {
    task.fail();
    throw error;
  };
  if (flags.detach) {
    const { folder, contexts } = await startInBackground(context, wordsOf(flags)).catch(failed);
    isUp();
    const words = {
      how: 'Then',
      ending: `End them: ${meshctlCommand('sandbox down', {}, [sandboxNameOf({ folder })])}`,
    };
    tell(context, { kubeconfigPath: kubeconfigIn(folder), contexts }, words);
    return { kind: 'Sandbox', data: { contexts }, text: () => '' };
  }
  const place = backgroundFolder === undefined ? {} : { kubeconfigPath: kubeconfigIn(backgroundFolder) };
  const sandbox = await startSandbox({ clusters, nodes, ciliumVersion, ...place }).catch(failed);
  const contexts = sandbox.clusters.map((cluster) => cluster.context);
  try {
    for (const { id } of rules) sandbox.clusters[0]?.store.create(networkRuleObject(id));
    await writeFile(demoPath(sandbox.kubeconfigPath), await demoObjects(context));
    isUp();
    const words = { how: 'In another terminal', ending: 'Ctrl-C ends the clusters.' };
    tell(context, { kubeconfigPath: sandbox.kubeconfigPath, contexts }, words);
    if (backgroundFolder === undefined) await untilAborted(context.signal);
    else await runInBackground(context, backgroundFolder, contexts);
  } finally {
    await sandbox.close();
    if (backgroundFolder !== undefined) await leaveFolder(backgroundFolder);
  }
  return { kind: 'Sandbox', data: { contexts }, text: () => 'The clusters are gone.' };
}

/** What is broken from the start, each once. @throws MeshctlError `Usage` for what is no rule, or of no cluster of these */
function rulesOf(
  { break: texts = [], nodes }: Pick<FlagsOf<typeof SANDBOX_UP>, 'break' | 'nodes'>,
  clusters: readonly SandboxClusterOptions[],
): NetworkRule[] {
  const rules = texts.flatMap(parseRules);
  if (rules.length === 0) return [];
  const profiles = resolveProfiles({ clusters, nodes });
  const nodesOf = (profile: (typeof profiles)[number]) =>
    Array.from({ length: profile.nodes }, (_, index) => nodeName(profile, index));
  requirePlaces(rules, new Map(profiles.map((profile) => [profile.name, nodesOf(profile)])));
  return [...new Map(rules.map((rule) => [rule.id, rule])).values()];
}

/** The flags by which the process in the background starts the same clusters. */
function wordsOf({
  clusters,
  nodes,
  ciliumVersion,
  provider = [],
  break: rules = [],
}: FlagsOf<typeof SANDBOX_UP>): string[] {
  return [
    ...(clusters === undefined ? [] : ['--clusters', String(clusters)]),
    ...['--nodes', String(nodes), '--cilium-version', ciliumVersion],
    ...(provider.length > 0 ? ['--provider', provider.join(',')] : []),
    ...rules.flatMap((rule) => ['--break', rule]),
  ];
}

/** A file of the article's workload, in the folder that goes with the sandbox: who runs an executable has no other. */
function demoPath(kubeconfigPath: string): string {
  return join(dirname(kubeconfigPath), 'rebel-base.yaml');
}

async function demoObjects({ installation }: CommandContext): Promise<string> {
  const texts = await Promise.all(DEMO_FILES.map((file) => installation.read(file)));
  return texts.join('---\n');
}

/** Says how the clusters are reached, and what to do with them first. */
function tell(
  { theme, print }: CommandContext,
  { kubeconfigPath, contexts }: { kubeconfigPath: string; contexts: readonly string[] },
  words: { how: string; ending: string },
): void {
  print(sandboxText({ kubeconfigPath, contexts, workload: demoPath(kubeconfigPath) }, words, theme));
}

/** What meshctl refuses of a real cluster need not be tried on a simulated one. @throws MeshctlError `Usage` */
function requireKnownVersion(text: string): void {
  const version = parseVersion(text);
  if (version && compareVersions(version, OLDEST_SUPPORTED) >= 0) return;
  throw new MeshctlError('Usage', `--cilium-version: "${text}" is not a Cilium version from ${supportedRange()}`, {
    hint: 'Give one such as 1.20.0.',
  });
}
