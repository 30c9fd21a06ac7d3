import { CERTIFICATE_SECRETS } from '../../certificates/cluster-certificates.ts';
import { formatVersion, versionOfAgents } from '../../cilium/versions/versions.ts';
import type { ClusterSnapshot } from '../../cluster-snapshot.ts';
import { kubectlCommand, shellWord } from '../../command-line.ts';
import { givenFields, hasOurFields, isAppliedByHelm } from '../../objects/helm-fields.ts';
import { type KubeObject, keyOf, refOf } from '../../objects/kube-object.ts';
import { agentDaemonSetRef, CA_SECRET, REMOTE_USERS_CONFIGMAP } from '../../objects/names.ts';
import { MANAGED_BY, RELEASE_NAME, RELEASE_NAMESPACE, toolOf } from '../../objects/ownership.ts';
import { PEER_SECRETS } from '../../peers/peers.ts';
import { FIELD_MANAGER, type Step } from '../../plan/plan.ts';

const CERTIFICATES: readonly string[] = [CA_SECRET, ...CERTIFICATE_SECRETS];

const isPeerSecret = (name: string) => PEER_SECRETS.some((secret) => secret === name);

/** Which of the objects that hold users, peers and certificates the chart makes; it makes all others that there are. */
export interface ChartMakes {
  users: boolean;
  peers: boolean;
  certificates: boolean;
}

function isRendered({ kind, metadata: { name } }: KubeObject, makes: ChartMakes): boolean {
  if (kind === 'ConfigMap' && name === REMOTE_USERS_CONFIGMAP) return makes.users;
  if (kind !== 'Secret') return true;
  return CERTIFICATES.includes(name) ? makes.certificates : makes.peers || !isPeerSecret(name);
}

/** The release that Helm upgrades: the one that was named, else the one that Cilium's DaemonSet is of, else by its usual name. */
export function releaseOf(
  { objects, namespace }: Pick<ClusterSnapshot, 'objects' | 'namespace'>,
  given: string | undefined,
): string {
  const told = objects.get(keyOf(agentDaemonSetRef(namespace)))?.metadata.annotations?.[RELEASE_NAME];
  return given ?? told ?? 'cilium';
}

/**
 * Gives Helm what the chart makes too and no tool has made: meshctl's own, and a CA that came by hand. Helm takes over an object
 * only with its own label and annotations (checkOwnership in its pkg/action/validate.go), and then changes it in place, so that
 * nobody is cut off meanwhile.
 * @param release the one that is to have them
 * @returns two commands; undefined where there is nothing to hand over
 */
export function handOverCommand(
  { context, namespace, objects }: Pick<ClusterSnapshot, 'context' | 'namespace' | 'objects'>,
  makes: ChartMakes,
  release: string,
): string | undefined {
  const isOurs = ({ metadata }: KubeObject) => metadata.labels?.[MANAGED_BY] === FIELD_MANAGER;
  // Also a CA that came by hand: no tool has put marks on it.
  const isAuthority = ({ kind, metadata: { name } }: KubeObject) => kind === 'Secret' && name === CA_SECRET;
  const adopted = [...objects.values()].filter(
    (object) => toolOf(object) === undefined && (isAuthority(object) || isOurs(object)) && isRendered(object, makes),
  );
  if (adopted.length === 0) return undefined;
  const words = adopted.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`);
  const mark = (verb: string, ...marks: string[]) =>
    kubectlCommand({ context, namespace }, [verb, '--overwrite', ...words, ...marks]);
  const annotate = mark('annotate', `${RELEASE_NAME}=${release}`, `${RELEASE_NAMESPACE}=${namespace}`);
  return `${annotate} && ${mark('label', `${MANAGED_BY}=Helm`)}`;
}

/** Whether Helm applies Cilium's release server-side: then so it does with what it is yet to make. */
function isServerSide({ objects, namespace }: Pick<ClusterSnapshot, 'objects' | 'namespace'>): boolean {
  return isAppliedByHelm(objects.get(keyOf(agentDaemonSetRef(namespace))));
}

/**
 * Whether Helm may refuse to change what meshctl has set, unless it is forced: where it applies the release server-side, as Helm 4
 * does with those that it has installed (seen of 4.2; it writes over what there is in those of Helm 3).
 */
export function mayConflict(snapshot: Pick<ClusterSnapshot, 'objects' | 'namespace'>, makes: ChartMakes): boolean {
  const objects = [...snapshot.objects.values()];
  return isServerSide(snapshot) && objects.some((object) => isRendered(object, makes) && hasOurFields(object));
}

/**
 * What meshctl has set of the objects that Helm makes, where it applies them server-side: as long as both have set a field, Helm
 * changes it only by force, and each later upgrade that would fails. Users and peers stay meshctl's: connect writes them.
 * @returns the objects whose fields are to be given to Helm once it has made them
 */
export function sharedWithHelm(
  snapshot: Pick<ClusterSnapshot, 'objects' | 'namespace'>,
  makes: ChartMakes,
): KubeObject[] {
  if (!isServerSide(snapshot)) return [];
  const own = { ...makes, users: false, peers: false };
  return [...snapshot.objects.values()].filter((object) => isRendered(object, own) && hasOurFields(object));
}

/** @param object as it is @param release Helm's; the step gives it meshctl's fields once it has made the object */
export function givingStep(context: string, object: KubeObject, release: string): Step {
  return {
    cluster: context,
    action: 'update',
    object: refOf(object),
    changes: [],
    why: `gives its fields to Helm release ${release}`,
    before: object,
    write: {
      method: 'edit',
      edit: (live) => {
        const patch = givenFields(live);
        return patch && { patch };
      },
    },
  };
}

/**
 * What an operator types to have a release otherwise, in the version of the chart that made it: without one, Helm would upgrade
 * Cilium too.
 * @param made an object of the release, whose label names the chart (`cilium.chart` in the chart's _helpers.tpl)
 */
export function helmUpgradeCommand(
  { context, namespace, agent }: Pick<ClusterSnapshot, 'context' | 'namespace' | 'agent'>,
  made: KubeObject,
  release: string,
  words: readonly string[],
): string {
  const chart = /^cilium-(.+)$/.exec(made.metadata.labels?.['helm.sh/chart'] ?? '')?.[1];
  const runs = versionOfAgents(agent);
  const version = chart ?? (runs ? formatVersion(runs) : '<version of Cilium>');
  const where = ['--namespace', namespace, '--kube-context', context, '--reuse-values'];
  return ['helm', 'upgrade', release, 'cilium/cilium', '--version', version, ...where, ...words]
    .map(shellWord)
    .join(' ');
}
