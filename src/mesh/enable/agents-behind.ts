import { finishAgents, saysAtOnce } from '../cilium/restart-agents.ts';
import { versionIn } from '../cilium/versions/running-versions.ts';
import { type CiliumVersion, compareVersions, formatVersion, versionOfAgents } from '../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { meshctlCommand } from '../command-line.ts';

/**
 * That agents do not, or not all, run what their DaemonSet has: the clustermesh-apiserver is to have their version (Cilium's
 * compatibility of the two, both being of one release of its chart), and goes with the oldest that run, unless it has come to the version of newer ones. Undefined where all run it.
 * @param version which the clustermesh-apiserver gets
 */
export function agentsBehind(snapshot: ClusterSnapshot, version: CiliumVersion): string | undefined {
  const { context, agent } = snapshot;
  const { running = [], startsWith } = agent ?? {};
  const versions = [...new Set(running.flatMap((one) => one.version ?? []))];
  const isMixed = versions.length > 1;
  if (!startsWith && !isMixed) return undefined;
  const counts = running.map(({ version: one, image, pods }) => `${one ?? image} (${pods})`).join(', ');
  const has = startsWith === undefined ? formatVersion(version) : (versionIn(startsWith) ?? startsWith);
  const oldest = versionOfAgents(agent);
  const gets =
    oldest && compareVersions(version, oldest) > 0
      ? `stays with ${formatVersion(version)}, which newer agents run`
      : `gets ${formatVersion(version)}, that of the oldest which run`;
  const isThere = startsWith === undefined || has === formatVersion(version);
  const anew = isThere ? '' : ` && ${meshctlCommand('clustermesh enable', { context })}`;
  return `agents run ${counts}, and their DaemonSet has ${has}: the clustermesh-apiserver ${gets} → once all are to run ${has}${saysAtOnce(snapshot)}: ${finishAgents(snapshot)}${anew}`;
}
