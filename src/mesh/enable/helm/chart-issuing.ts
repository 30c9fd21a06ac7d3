import { apiserverDeployment } from '../../apiserver/live.ts';
import { isServedByCertManager } from '../../certificates/authority.ts';
import { CERTIFICATE_SECRETS } from '../../certificates/cluster-certificates.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { kubectlCommand } from '../../command-line.ts';
import { keyOf } from '../../objects/kube-object.ts';
import { agentDaemonSetRef, CA_SECRET, SERVER_CERT_SECRET, secretRef } from '../../objects/names.ts';
import { type Tool, type ToolKind, toolOf } from '../../objects/ownership.ts';
import { isPrinted } from '../../objects/source-advice.ts';

type Objects = Pick<ClusterSnapshot, 'objects' | 'namespace'>;

/** How Cilium's chart has certificates made: `clustermesh.apiserver.tls.auto.method` in its values. */
export type IssuingMethod = 'helm' | 'cronJob' | 'certmanager';

/**
 * The tool that applies Cilium's chart, where that is no `helm` in an operator's hand: it would take out again what an upgrade
 * brings, or has no release that could be upgraded. Undefined also where nothing tells.
 */
export function chartApplier({ objects, namespace }: Objects): Tool | undefined {
  const deployment = apiserverDeployment({ objects, namespace });
  const serving = toolOf(deployment);
  // What meshctl has printed is of no chart, whoever applies it.
  const isOfChart = deployment && serving && !isPrinted(deployment, serving);
  const tool = toolOf(objects.get(keyOf(agentDaemonSetRef(namespace)))) ?? (isOfChart ? serving : undefined);
  return tool?.kind === 'helm' ? undefined : tool;
}

/** They turn a chart into objects without asking the cluster: `lookup` finds nothing there (argoproj/argo-cd#5202). */
const WITHOUT_CLUSTER: ReadonlySet<ToolKind> = new Set<ToolKind>(['argo-cd', 'flux', 'terraform', 'pulumi']);

/** Whether a tool renders the chart without asking the cluster for the CA that it has. */
export function rendersUnseen(tool: Tool | undefined): boolean {
  return tool !== undefined && WITHOUT_CLUSTER.has(tool.kind);
}

/**
 * Who is to issue the certificates by the chart: who has issued what there is goes on with it. By `helm` the chart makes Secret
 * cilium-ca too (its cilium-ca-secret.yaml), with the CA that `lookup` finds; where there is no cluster to look into, each
 * rendering makes another CA, and where another tool has made that Secret, Helm refuses to adopt it. By `cronJob`, certgen issues
 * from the CA of that Secret, whosesoever it is (`--ca-reuse-secret` in the chart's tls-cronjob/_job-spec.tpl).
 */
export function issuingMethod(snapshot: Objects): IssuingMethod {
  if (isServedByCertManager(snapshot)) return 'certmanager';
  if (rendersUnseen(chartApplier(snapshot))) return 'cronJob';
  const makerOf = (name: string) => toolOf(snapshot.objects.get(keyOf(secretRef(snapshot.namespace, name))));
  const issuer = makerOf(SERVER_CERT_SECRET);
  if (issuer) return issuer.kind === 'certgen' ? 'cronJob' : 'helm';
  const ca = makerOf(CA_SECRET);
  return ca?.kind === 'certgen' || rendersUnseen(ca) ? 'cronJob' : 'helm';
}

/** What is to be known of how the values have certificates made, for people. */
export function issuingNotes(snapshot: Pick<ClusterSnapshot, 'context'> & Objects): string[] {
  const { context, namespace, objects } = snapshot;
  const applier = chartApplier(snapshot);
  if (!applier || !rendersUnseen(applier) || issuingMethod(snapshot) !== 'cronJob') return [];
  const isTheirs = (name: string) => toolOf(objects.get(keyOf(secretRef(namespace, name))))?.kind === applier.kind;
  const theirs = [CA_SECRET, ...CERTIFICATE_SECRETS].filter(isTheirs);
  const ca = `Secret ${namespace}/${CA_SECRET}`;
  const notes = [
    `${applier.says} renders the chart without asking the cluster: tls.auto.method "helm" would make a new CA each time, so these values leave certificates to certgen (cronJob), which issues them from ${ca}`,
  ];
  if (theirs.length > 0) {
    notes.push(
      `${applier.says} removes what the chart renders no longer: ${keepAdvice(applier, { context, namespace }, theirs)}`,
    );
  }
  if (isTheirs(CA_SECRET)) {
    notes.push(
      `${applier.says} renders ${ca} too: unless the CA is among the values (tls.ca.cert and tls.ca.key), it makes a new one each time, which cuts every peer off, until hubble.tls.auto.method is "cronJob" as well`,
    );
  }
  return notes;
}

/** Argo CD goes by the annotation of what is in the cluster (`pruneObject` in gitops-engine's sync_context.go). */
function keepAdvice({ kind }: Tool, place: { context: string; namespace: string }, secrets: readonly string[]): string {
  const words = secrets.map((name) => `secret/${name}`);
  if (kind !== 'argo-cd') return `first let it leave ${words.join(', ')} alone, or every peer is cut off`;
  const mark = 'argocd.argoproj.io/sync-options=Prune=false';
  return `first keep the Secrets that there are, or every peer is cut off: ${kubectlCommand(place, ['annotate', '--overwrite', ...words, mark])}`;
}
