import { meshctlCommand } from '../../mesh/command-line.ts';
import { enumerated } from '../../mesh/counted.ts';
import { makeNamespaceGlobal } from '../../mesh/services/annotations.ts';
import {
  byCluster,
  type DifferenceId,
  differenceWords,
  isDifference,
  patchIn,
} from '../../mesh/services/differences.ts';
import type { MeshService } from '../../mesh/services/services.ts';
import type { ServiceWarning, ServiceWarningId } from '../../mesh/services/services-warnings.ts';
import { whence } from '../../mesh/services/unbalanced.ts';
import { hintLines } from '../hint-lines.ts';
import type { Theme } from '../theme.ts';
import {
  APART,
  agreementHint,
  aliasHint,
  annotate,
  endpointSlicesIn,
  mendingHint,
  renamingHint,
  within,
} from './service-warning-hints.ts';

/** A warning as data, with its words. */
export interface WarningData extends Omit<ServiceWarning, 'mends'> {
  message: string;
  hint?: string;
}

interface Words {
  message: string;
  hint?: string | undefined;
}

/** A warning with its words, for `-o json`. */
export function warningData(warning: ServiceWarning, service: MeshService): WarningData {
  const { message, hint } = wordsOf(warning, service);
  const { mends: _mends, able: _able, ...data } = warning;
  return { ...data, message, ...(hint ? { hint } : {}) };
}

function wordsOf(warning: ServiceWarning, service: MeshService): Words {
  if (isDifference(warning)) return differenceWords(warning, service);
  return WORDS[warning.id as Exclude<ServiceWarningId, DifferenceId>](warning, service);
}

/** One line for a warning, one for what to do about it. */
export function warningLines(service: MeshService, theme: Theme): string[] {
  const subject = theme.bold(`${service.namespace}/${service.name}`);
  return service.warnings.flatMap((warning) => {
    const { message, hint } = warningData(warning, service);
    return [`⚠️  ${subject}: ${message}`, ...(hint ? hintLines(hint, theme) : [])];
  });
}

/**
 * The other way, which takes the annotations away: not as long as a peer is unread, in which it may be what it only seems not to be.
 * @param when it is one, as a clause
 */
function orRemove(
  { unread = [], unseen = [] }: Pick<ServiceWarning, 'unread' | 'unseen'>,
  when: string,
  service: MeshService,
): string {
  return unread.length + unseen.length > 0 ? '' : `; or ${when}: ${annotate(service, '--remove')}`;
}

const WORDS: Readonly<
  Record<Exclude<ServiceWarningId, DifferenceId>, (warning: ServiceWarning, service: MeshService) => Words>
> = {
  'one-cluster': ({ clusters, ...warning }, service) => ({
    message: `is defined in ${enumerated(clusters)} only${asFarAsKnown(warning)}: no other cluster can ask for it or add backends`,
    hint: `So that the other clusters have it too: ${annotate(service, '--create-missing')}${orRemove(warning, `if it is meant for ${enumerated(clusters)} only`, service)}`,
  }),
  'namespace-missing': ({ clusters }, { namespace }) => ({
    message: `${enumerated(clusters)} ${clusters.length === 1 ? 'has' : 'have'} no namespace ${namespace}`,
  }),
  'annotations-differ': ({ values = {} }, service) => ({
    message: `the clusters' annotations differ: ${byCluster(values)}`,
    hint: agreementHint(service),
  }),
  'legacy-annotations': ({ clusters }, service) => ({
    message: `${enumerated(clusters)} ${clusters.length === 1 ? 'uses' : 'use'} the older annotation names io.cilium/…, which a newer name beside them overrides`,
    hint: renamingHint(within(service, clusters)),
  }),
  'unknown-affinity': ({ values = {}, mends }, service) => ({
    message: `Cilium knows no such affinity and takes it for none: ${byCluster(values)}`,
    hint: mendingHint(service, mends),
  }),
  'unknown-value': ({ values = {}, mends }, service) => ({
    message: `Cilium does not know these values, and takes them for false, or none: ${byCluster(values)}`,
    hint: mendingHint(service, mends),
  }),
  'namespace-not-global': ({ clusters }, { namespace, clusters: all }) => ({
    message: `namespace ${namespace} is not global in ${enumerated(clusters)}: the other clusters get no backends from there`,
    hint: all
      .filter(({ cluster }) => clusters.includes(cluster))
      .map(({ context }) => makeNamespaceGlobal(context, namespace))
      .join(' && '),
  }),
  'not-shared': ({ clusters, ...warning }, service) => ({
    message: `is shared by no cluster${asFarAsKnown(warning)}: each one uses its own backends only`,
    hint: `So that all of them share it: ${annotate(within(service, clusters), '--shared=true')}${orRemove(warning, APART, service)}`,
  }),
  headless: ({ clusters }, service) => ({
    message: `is headless, or an ExternalName, in ${enumerated(clusters)}: Cilium balances nothing there, clients see what DNS gives them`,
    hint: aliasHint(within(service, clusters)),
  }),
  'node-local': ({ clusters, values, ...warning }, service) => ({
    message: `has internalTrafficPolicy Local in ${enumerated(clusters)}: its pods use the backends of their own node and of other clusters, and none of other nodes${values ? `; requests fail${asFarAsKnown(warning)}: ${byCluster(values)}` : ''}`,
    hint: `So that they use those of every node: ${patchIn(service, clusters, { internalTrafficPolicy: 'Cluster' })}`,
  }),
  'own-cluster-only': ({ clusters, values = {} }, service) => ({
    message: `${Object.values(values)[0]}, and is global in ${enumerated(clusters)}: some connections end in other clusters, which do not let them in`,
    hint: annotate(within(service, clusters), '--remove'),
  }),
  'kube-proxy': ({ clusters, values = {} }, service) => ({
    message: `kube-proxy serves requests ${whence(clientsIn(service, clusters))} in ${enumerated(clusters)}, and knows own backends only: ${byCluster(values)}`,
    hint: "Where Cilium replaces kube-proxy (its chart's value kubeProxyReplacement), they go to the backends of other clusters too.",
  }),
  'nearest-first': ({ clusters, values = {} }) => ({
    message: `${enumerated(clusters)} ${clusters.length === 1 ? 'chooses' : 'choose'} backends by zone or node before affinity, so that those of other clusters may be left out, and with affinity remote own ones used: ${byCluster(values)}`,
    hint: 'Leave that out of the Service, or out of Cilium (enable-service-topology), where affinity is to decide.',
  }),
  'ports-missing': ({ clusters, values = {} }, service) => ({
    message: `no ready endpoint listens at the port in ${byCluster(values)}: Cilium makes no backend of it`,
    hint: `Its targetPort must be a number, or a name, that a container's port has; which ports its endpoints have: ${endpointSlicesIn(service, clusters)}`,
  }),
  'no-ready-backend': ({ clusters, ...warning }) => ({
    message: `has no ready backend in ${enumerated(clusters)}: requests fail${asFarAsKnown(warning)}`,
  }),
  unserved: ({ clusters, values, ...warning }, { clusters: all }) => ({
    message: `requests from ${enumerated(clusters.map((name) => failingPart(name, all)))} fail${asFarAsKnown(warning)}: no backend that can be used from there is ready${values ? `, and there is no connection ${pathsOf(values)}, whose backends would serve` : ''}`,
    ...(values
      ? { hint: `Why: ${meshctlCommand('clustermesh status', { context: all.map(({ context }) => context) })}` }
      : {}),
  }),
};

function clientsIn({ clusters }: MeshService, those: readonly string[]) {
  return clusters.find(({ cluster }) => those.includes(cluster))?.definition?.ownBackendsFor ?? [];
}

/** The cluster, or those nodes of it that know nothing of another one's backends. */
function failingPart(name: string, all: MeshService['clusters']): string {
  const definition = all.find(({ cluster }) => cluster === name)?.definition;
  return definition?.usesFromSome ? `some nodes of ${name}` : name;
}

/** `from mesh-1 to mesh-2 or from mesh-3 to mesh-2`. */
function pathsOf(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([from, to]) => `from ${from} to ${to}`)
    .join(' or ');
}

/** Whose Services might make it untrue, and were not read. */
function asFarAsKnown({ unread = [], unseen = [] }: Pick<ServiceWarning, 'unread' | 'unseen'>): string {
  const besides = unseen.length > 0 ? [`what ${enumerated(unseen)} may be connected to besides`] : [];
  const missing = enumerated([...unread, ...besides]);
  return missing ? `, as far as is known without ${missing}` : '';
}
