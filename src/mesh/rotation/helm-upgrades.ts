import type { ClusterSnapshot } from '../cluster-snapshot.ts';
import { describeRef, type KubeObject, keyOf, refOf } from '../objects/kube-object.ts';
import { CA_SECRET, secretRef } from '../objects/names.ts';
import { type ToolKind, toolOf } from '../objects/ownership.ts';
import { ownerOfData } from './rotated-cluster.ts';

/** Whoever upgrades the release: an operator, also by Terraform, or Flux by itself. */
const HELMS: readonly (ToolKind | undefined)[] = ['helm', 'flux-helm', 'terraform-helm'];

/**
 * The certificates of a cluster that Helm issues: again at each upgrade, from Secret cilium-ca alone, and with no other CA beside
 * them (templates/clustermesh-apiserver/tls-helm of Cilium's chart).
 */
function issuedByHelm({ objects, namespace, tlsSecrets }: ClusterSnapshot): KubeObject[] {
  const secrets = [...tlsSecrets.keys()].flatMap((name) => objects.get(keyOf(secretRef(namespace, name))) ?? []);
  return secrets.filter((secret) => HELMS.includes(toolOf(secret)?.kind));
}

/**
 * Whether an upgrade has taken certificates over in which a rotation had put both CAs: only by force it puts them there again.
 * @param snapshot of a cluster whose CA is being rotated: by then meshctl has written to each of its certificates, unless Helm
 * alone has since. Of any other one this tells only that Helm made it
 */
export function isTakenByHelm(snapshot: ClusterSnapshot): boolean {
  return issuedByHelm(snapshot).some((secret) => ownerOfData(secret) !== undefined);
}

/**
 * What is to be known before a CA is replaced whose certificates Helm issues.
 * @param clusters whose CA is replaced
 * @param goOn the command line by which the rotation continues after an upgrade in these contexts
 */
export function helmUpgradeNotes(
  clusters: readonly ClusterSnapshot[],
  goOn: (contexts: readonly string[]) => string,
): string[] {
  return clusters.flatMap((snapshot) => {
    const issued = issuedByHelm(snapshot);
    const { says, kind, flux } = toolOf(issued[0]) ?? {};
    if (says === undefined) return [];
    const secrets = issued.map((secret) => describeRef(refOf(secret))).join(', ');
    const ca = `Secret ${snapshot.namespace}/${CA_SECRET}`;
    return [
      `context "${snapshot.context}": ${says} issues ${secrets} at each upgrade, from ${ca} alone, and trusts no other CA: ${spare(kind, flux)} until the rotation has ended; after ${kind === 'helm' ? 'one' : 'an upgrade'}, continue with → ${goOn([snapshot.context])}`,
    ];
  });
}

/** Flux upgrades by itself, where its source changes, or to undo what somebody else has written (spec.driftDetection of a HelmRelease). */
function spare(kind: ToolKind | undefined, flux: string | undefined): string {
  if (kind === 'helm') return 'run no helm upgrade there';
  if (kind === 'terraform-helm') return 'run no terraform apply that upgrades it';
  if (flux === undefined) return 'suspend that HelmRelease';
  return `suspend it (\`flux suspend ${flux}\`, and \`flux resume ${flux}\` afterwards)`;
}
