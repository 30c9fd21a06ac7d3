import { type CiliumVersion, compareMinors, formatVersion, versionOfImage } from '../versions.ts';
import { type Check, type CheckInput, type Finding, listed } from './check.ts';

/** Cilium versions within one mesh. */
export const VERSION_CHECKS: readonly Check[] = [
  {
    id: 'version-skew',
    category: 'versions',
    title: 'Cilium versions are at most one minor apart',
    run: versionSkew,
    says: ({ severity, args }) =>
      severity === 'skip'
        ? `Cilium's version cannot be told from the agent's image ${args.image}`
        : `Cilium versions are more than one minor apart (${listed(args.versions, '; ')})`,
  },
];

function versionSkew({ clusters }: CheckInput): Finding[] {
  const known: { context: string; version: CiliumVersion }[] = [];
  const findings: Finding[] = [];
  for (const { context, agent } of clusters) {
    const version = agent && versionOfImage(agent.image);
    if (version) known.push({ context, version });
    else findings.push({ id: 'version-skew', severity: 'skip', cluster: context, args: { image: agent?.image ?? '' } });
  }
  const ordered = known.toSorted((a, b) => compareMinors(a.version, b.version));
  const [oldest, newest] = [ordered[0], ordered.at(-1)];
  if (!oldest || !newest || oneMinorApart(oldest.version, newest.version)) return findings;
  findings.push({
    id: 'version-skew',
    severity: 'fail',
    args: { versions: [oldest, newest].map(({ context, version }) => `${context}: ${formatVersion(version)}`) },
    hint: 'Cilium supports a mesh of consecutive minor versions: upgrade the older ones first, or go on with --skip-checks version-skew.',
  });
  return findings;
}

function oneMinorApart(older: CiliumVersion, newer: CiliumVersion): boolean {
  return older.major === newer.major && newer.minor - older.minor <= 1;
}
