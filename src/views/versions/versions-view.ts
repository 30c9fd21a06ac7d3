import type { ClusterVersions } from '../../mesh/cilium/versions/cluster-versions.ts';
import type { SkewFinding } from '../../mesh/cilium/versions/skew.ts';
import type { ProgramVersion, RunningVersion } from '../../mesh/cilium/versions/versions.ts';
import type { UnreachableCluster } from '../../mesh/status/mesh-status.ts';
import { hintLines } from '../hint-lines.ts';
import { tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';
import { unreachableLines } from '../unreachable-view.ts';

/** The meshctl that runs. */
export interface ClientVersion {
  version: string;
  /** Of git; absent where it was not built in a checkout. */
  commit?: string | undefined;
  /** Node.js, e.g. `v20.19.0`. */
  node: string;
}

/** What `meshctl version` found. */
export interface VersionReport {
  client: ClientVersion;
  /** Absent where no cluster was to be asked. */
  clusters?: readonly ClusterVersions[] | undefined;
  findings: readonly SkewFinding[];
  /** Absent where not all versions are known. */
  supported?: boolean | undefined;
  unreachable: readonly UnreachableCluster[];
}

const SHORT_COMMIT = 12;

/** A line for the program itself, a row for each cluster, and whether all of that goes together. */
export function versionsText({ client, clusters, ...report }: VersionReport, theme: Theme): string {
  const built = client.commit ? `commit ${client.commit.slice(0, SHORT_COMMIT)}, ` : '';
  return [
    `meshctl ${client.version} (${built}Node.js ${client.node})`,
    ...(clusters && clusters.length > 0
      ? ['', ...clusterLines(clusters, theme), ...makerLines(clusters, theme), '', ...verdict(report, theme)]
      : []),
    ...unreachableLines(report.unreachable, theme),
  ].join('\n');
}

const UNREAD = 'may not be read';
const HEADINGS = ['CONTEXT', 'CLUSTER', 'KUBERNETES', 'CILIUM', 'APISERVER', 'ETCD', 'CACHE'];

/** A row for each cluster, and one more for each further version of a program: a terminal has 80 columns. */
function clusterLines(clusters: readonly ClusterVersions[], theme: Theme): string[] {
  const rows = clusters.flatMap(({ context, cluster, kubernetes, agents, apiserver, etcd, kvstoremesh, unread }) => {
    const [first = '', ...more] = agentTexts(agents);
    const [own = '–', ...others] = unread ? [UNREAD] : countedTexts(serversOf(apiserver));
    const programs = [own, programText(etcd)];
    const cache = kvstoremesh === undefined ? '–' : kvstoremesh ? 'on' : 'off';
    return [
      [context, cluster ?? '–', kubernetes, first, ...programs, cache],
      ...Array.from({ length: Math.max(more.length, others.length) }, (_, row) => [
        ...['', '', '', more[row] ?? ''],
        ...(others[row] === undefined ? [] : [others[row]]),
      ]),
    ];
  });
  return tableLines([HEADINGS.map((text) => ({ text, style: theme.bold })), ...rows]);
}

/** Who makes Cilium and the clustermesh-apiserver: whose source a change of them belongs into. */
function makerLines(clusters: readonly ClusterVersions[], theme: Theme): string[] {
  const made = clusters.filter(({ madeBy }) => madeBy);
  if (made.length === 0) return [];
  const rows = made.map(({ context, madeBy: { cilium, apiserver = '–', unread: untold } = {}, unread }) => [
    context,
    untold ? UNREAD : (cilium ?? '–'),
    unread ? UNREAD : apiserver,
  ]);
  const headings = ['CONTEXT', 'CILIUM MADE BY', 'APISERVER MADE BY'];
  return ['', ...tableLines([headings.map((text) => ({ text, style: theme.bold })), ...rows])];
}

/** `1.20.0`, or of several each with its pods, `1.20.0 (3)`. */
function agentTexts(agents: ClusterVersions['agents']): string[] {
  if (agents === undefined) return [UNREAD];
  return agents.length === 0 ? ['none'] : countedTexts(agents);
}

function serversOf(apiserver: ClusterVersions['apiserver']): RunningVersion[] {
  return apiserver ? [{ ...apiserver, pods: apiserver.pods ?? 0 }, ...(apiserver.others ?? [])] : [];
}

function countedTexts(programs: readonly RunningVersion[]): string[] {
  const counts = new Map<string, number>();
  for (const one of programs) counts.set(programText(one), (counts.get(programText(one)) ?? 0) + one.pods);
  return [...counts].map(([version, pods]) => (counts.size === 1 ? version : `${version} (${pods})`));
}

function programText(program: ProgramVersion | undefined): string {
  return program ? (program.version ?? program.image) : '–';
}

function verdict(
  { findings, supported, unreachable }: Omit<VersionReport, 'client' | 'clusters'>,
  theme: Theme,
): string[] {
  const these = unreachable.length > 0 ? 'The versions of those that answered' : 'These versions';
  const headline =
    supported === undefined
      ? '❔ Not all versions are known, so their compatibility is not known either'
      : supported
        ? `✅ ${theme.ok(`${these} are compatible`)}`
        : `❌ ${theme.fail(`${these} are not compatible`)}`;
  const lines = findings.flatMap(({ severity, message, hint }) => [
    `  ${severity === 'fail' ? theme.fail('✗') : theme.warn('!')} ${message}`,
    ...(hint ? hintLines(hint, theme, 4) : []),
  ]);
  return [headline, ...lines];
}
