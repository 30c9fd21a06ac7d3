import { enabledFirst, notReadyAmong } from '../../faults/enable-first.ts';
import { groupBy } from '../../pairs.ts';
import { meantTogether } from '../../peers/meshes.ts';
import { unpairedIn } from './ask-nodes.ts';
import { type Check, type CheckInput, type Finding, runChecks } from './check.ts';

/**
 * Runs checks upon each mesh among the clusters by itself: a kubeconfig may lead to several, and whatever checks hold clusters
 * against each other for (names, ids, ranges, ports, settings, CAs, users) is so because packets, identities or certificates go
 * between them, which happens in one mesh alone. See {@link meantTogether} for who is judged with whom. Whether clusters can become
 * one mesh is for {@link runChecks}.
 * Whoever is to be connected to a cluster that is not enabled is told to enable it first.
 * @returns as {@link runChecks} does, what is found more than once said once
 */
export function runChecksByMesh<Input extends CheckInput>(
  checks: readonly Check<Input>[],
  input: Input,
  skip: readonly string[] = [],
): Finding[] {
  const notReady = notReadyAmong(input.clusters, input.now);
  return runByMesh(checks, input, skip).map((finding) =>
    finding.hint === undefined ? finding : { ...finding, hint: enabledFirst(finding.hint, notReady) },
  );
}

function runByMesh<Input extends CheckInput>(
  checks: readonly Check<Input>[],
  given: Input,
  skip: readonly string[],
): Finding[] {
  const input: Input = { ...given, areStanding: true };
  const meshes = meantTogether(input.clusters);
  if (meshes.length < 2) return runChecks(checks, { ...input, unpaired: unpairedIn(input.clusters) }, skip);
  const found = meshes.flatMap((clusters) => {
    const contexts = clusters.map(({ context }) => context);
    const peerIds = input.peerIds && new Map([...input.peerIds].filter(([context]) => contexts.includes(context)));
    const unpaired = unpairedIn(clusters);
    return runChecks(checks, { ...input, clusters, unpaired, peerIds }, skip).map(
      (finding): Finding =>
        finding.severity === 'pass' ? { ...finding, args: { contexts, ...finding.args } } : finding,
    );
  });
  const byCheck = groupBy(found, ({ id }) => id);
  return checks.flatMap(({ id }) => merged(byCheck.get(id) ?? []));
}

/** What one check found in several meshes: it passes where nothing is wrong in any of them, for the clusters that it has judged. */
function merged(found: readonly Finding[]): Finding[] {
  const [passes, others] = [true, false].map((passed) =>
    found.filter(({ severity }) => (severity === 'pass') === passed),
  );
  const rest = joined([...new Map((others ?? []).map((finding) => [JSON.stringify(finding), finding])).values()]);
  const [first] = passes ?? [];
  if (!first || rest.some(({ severity }) => severity !== 'skip')) return rest;
  const of = (name: string) => [...new Set((passes ?? []).flatMap(({ args }) => (args[name] ?? []) as string[]))];
  const contexts = of('contexts').filter((context) => !rest.some(({ cluster }) => cluster === context));
  if (contexts.length === 0) return rest;
  const samples = of('samples');
  const args = { ...(rest.length > 0 ? { contexts } : {}), ...(samples.length > 0 ? { samples } : {}) };
  return [{ ...first, args }, ...rest];
}

/**
 * What is found of a cluster beside each of several meshes, as of one that is connected to nobody, is told once: why it could not be
 * judged, and how it differs.
 */
function joined(found: readonly Finding[]): Finding[] {
  const told: Finding[] = [];
  for (const finding of found) {
    const at = told.findIndex((one) => isAboutTheSame(one, finding));
    const alike = told[at];
    if (alike) told[at] = { ...alike, args: joinedArgs(alike.args, finding.args) };
    else told.push(finding);
  }
  return told;
}

function isAboutTheSame(one: Finding, other: Finding): boolean {
  if (one.severity !== other.severity || one.blind !== other.blind || one.cluster !== other.cluster) return false;
  // Of settings that differ, hints tell the clusters of each mesh apart.
  if (one.hint !== other.hint && one.args.settings === undefined) return false;
  const keys = ({ args }: Finding) => Object.keys(args).sort().join();
  if (keys(one) !== keys(other)) return false;
  if (one.severity === 'skip') return one.cluster !== undefined && typeof one.args.reason === 'string';
  return textsOf(one.args, 'settings').some((setting) => textsOf(other.args, 'settings').includes(setting));
}

function joinedArgs(one: Finding['args'], other: Finding['args']): Finding['args'] {
  const unique = (name: string) => [...new Set([...textsOf(one, name), ...textsOf(other, name)])];
  if (typeof one.reason === 'string') return { ...one, reason: unique('reason').join('; ') };
  return { ...one, settings: unique('settings') };
}

/** What a finding has of something, in parts. */
function textsOf(args: Finding['args'], name: string): string[] {
  const value = args[name];
  if (Array.isArray(value)) return value as string[];
  return typeof value === 'string' ? value.split('; ') : [];
}
