import { hasCertificate } from '../apiserver/pod-marks.ts';
import { type CiliumVersion, versionOfAgents } from '../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { kubectlCommand, meshctlCommand } from '../command-line.ts';
import { chartIssues, serverNamesValue } from '../objects/chart-values.ts';
import { type KubeObject, keyOf } from '../objects/kube-object.ts';
import { secretRef } from '../objects/names.ts';
import { isByHand, managersOfKey, type Tool, toolOf } from '../objects/ownership.ts';
import { FIELD_MANAGER } from '../plan/plan.ts';
import { ownerOfData } from '../rotation/rotated-cluster.ts';

/** Of Cilium's chart (templates/clustermesh-apiserver/tls-cronjob/cronjob.yaml). */
const CERTGEN = 'clustermesh-apiserver-generate-certs';

/**
 * How certificates of a cluster's own come to be issued anew, by whoever made its Secret, as the end of a sentence. Where
 * that is nobody else, enable does it; a tool would put back what it has, or refuse to be overwritten.
 * @param secrets theirs; the first one tells whose they are
 * @param names what the new one must cover besides, where that is what is wrong
 */
export function reissueAdvice(
  snapshot: ClusterSnapshot,
  secrets: readonly [string, ...string[]],
  names: readonly string[] = [],
): string {
  const { context, namespace, objects } = snapshot;
  const [secret] = secrets;
  const live = objects.get(keyOf(secretRef(namespace, secret)));
  const owner = ownerOfData(live) ?? handOn(live);
  if (owner === undefined) return `reissue it: ${meshctlCommand('clustermesh enable', { context })}`;
  const tool = toolOf(live);
  if (tool) return byTool(tool, { context, namespace, agents: versionOfAgents(snapshot.agent) }, secrets, names);
  if (!isByHand(owner)) return elsewhere(owner, names);
  // What somebody put there by hand is a conflict, as long as there is anything in it.
  const force = hasCertificate(snapshot, secret) ? ['--force-conflicts'] : [];
  return `someone put it there (${owner}); take it over: ${meshctlCommand('clustermesh enable', { context }, force)}`;
}

/** Whose hand a certificate is from that was put over meshctl's own: an apply is a conflict then, as with a Secret of theirs. */
export function handOn(secret: KubeObject | undefined): string | undefined {
  const managers = secret ? managersOfKey(secret, 'tls.crt') : [];
  return managers.includes(FIELD_MANAGER) ? undefined : managers.find(isByHand);
}

function elsewhere(owner: string, names: readonly string[]): string {
  return `${owner} made it: have it reissued there${covering(names)}`;
}

function covering(names: readonly string[]): string {
  return names.length > 0 ? `, with ${names.join(', ')} among its names` : '';
}

function byTool(
  { kind, says, name, flux }: Tool,
  { agents, ...place }: { context: string; namespace: string; agents: CiliumVersion | undefined },
  secrets: readonly string[],
  names: readonly string[],
): string {
  if (kind === 'helm' && name !== undefined) {
    // Agents' certificates for the cache are always the chart's own making (templates/clustermesh-apiserver/tls-provided).
    const role = /-(server|admin|remote)-cert$/.exec(secrets[0] ?? '')?.[1];
    const upgrade = meshctlCommand('clustermesh enable', { context: place.context }, ['--via-helm']);
    const brought =
      role &&
      chartIssues(agents) !== true &&
      `if its values bring it (clustermesh.apiserver.tls.${role}.cert), put a new one there${covering(names)}; else `;
    return `${says} made it: ${brought || ''}an upgrade reissues it: ${upgrade}`;
  }
  if (kind === 'certgen') {
    const job = kubectlCommand(place, ['create', 'job', `${CERTGEN}-now`, `--from=cronjob/${CERTGEN}`]);
    const values = names.length > 0 ? ` (${serverNamesValue('', agents)} in the values)` : '';
    return `${says} made it: have it make a new one${covering(names)}${values}: ${job}`;
  }
  if (kind === 'cert-manager' && names.length === 0) {
    // Its FAQ, "When do certs get re-issued?": also where the Secret does not exist. It has a Certificate for each.
    const how =
      secrets.length > 1 ? 'cert-manager made them, and reissues each' : `${says} made it; cert-manager reissues it`;
    return `${how} once its Secret is gone, and connections stay up: ${kubectlCommand(place, ['delete', 'secret', ...secrets])}`;
  }
  // One upgrade by itself, in which the chart issues anew (`flux reconcile helmrelease --force`).
  if (flux !== undefined && names.length === 0) {
    return `${says} made it: an upgrade reissues it, as by \`flux reconcile ${flux} --force\` (where its values bring it, clustermesh.apiserver.tls, put a new one there first)`;
  }
  const where = kind === 'cert-manager' ? '' : ' (in the values of a chart, clustermesh.apiserver.tls)';
  return `${elsewhere(says, names)}${where}`;
}
