import { groupBy } from '../../pairs.ts';
import { meantTogether } from '../../peers/meshes.ts';
import { type Check, type CheckInput, type Finding, runChecks } from './check.ts';

/**
 * Runs checks upon each mesh among the clusters by itself: a kubeconfig may lead to several, and whatever checks hold clusters
 * against each other for (names, ids, ranges, ports, settings, CAs, users) is so because packets, identities or certificates go
 * between them, which happens in one mesh alone. See {@link meantTogether} for who is judged with whom. Whether clusters can become
 * one mesh is for {@link runChecks}.
 * @returns as {@link runChecks} does, what is found more than once said once
 */
export function runChecksByMesh<Input extends CheckInput>(
  checks: readonly Check<Input>[],
  input: Input,
  skip: readonly string[] = [],
): Finding[] {
  const meshes = meantTogether(input.clusters);
  if (meshes.length < 2) return runChecks(checks, input, skip);
  const found = meshes.flatMap((clusters) => {
    const contexts = clusters.map(({ context }) => context);
    const peerIds = input.peerIds && new Map([...input.peerIds].filter(([context]) => contexts.includes(context)));
    return runChecks(checks, { ...input, clusters, peerIds }, skip).map(
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
  const rest = [...new Map((others ?? []).map((finding) => [JSON.stringify(finding), finding])).values()];
  const [first] = passes ?? [];
  if (!first || rest.some(({ severity }) => severity !== 'skip')) return rest;
  const of = (name: string) => [...new Set((passes ?? []).flatMap(({ args }) => (args[name] ?? []) as string[]))];
  const contexts = of('contexts').filter((context) => !rest.some(({ cluster }) => cluster === context));
  if (contexts.length === 0) return rest;
  const samples = of('samples');
  const args = { ...(rest.length > 0 ? { contexts } : {}), ...(samples.length > 0 ? { samples } : {}) };
  return [{ ...first, args }, ...rest];
}
