import { describeCommand } from '../../command-line.ts';
import { sinceDisable } from '../../enable/unfinished-disable.ts';
import type { Fault, FaultId } from '../../faults/fault.ts';
import { APISERVER } from '../../objects/names.ts';
import { isAlone, labelsOf, peerNameOf, type StatusReport } from '../../status/status.ts';
import { reasonsOf, type StatusReason } from '../../status/status-reasons.ts';
import { isUnseen } from '../../status/unasked.ts';
import { howToBegin } from '../../status/whom-to-join.ts';
import { IDENTITY_OF_CLUSTERS } from '../identity.ts';
import { type Finding, listed } from './check.ts';
import { findingOf } from './mesh-input.ts';

const ID = 'peers-connected';
const APISERVER_DEPLOYED = 'apiserver-deployed';

/**
 * The checks that find a fault in the cluster that has it, or some cases of it; where none is named, the one with the fault's own
 * id, if there is any. What they pass over is said here.
 */
const FOUND_BY: Readonly<Partial<Record<FaultId, string | readonly string[]>>> = {
  'mesh-disabled': APISERVER_DEPLOYED,
  'apiserver-missing': APISERVER_DEPLOYED,
  'apiserver-scaled-down': 'apiserver-ready',
  'apiserver-not-ready': 'apiserver-ready',
  'apiserver-rollout': 'apiserver-ready',
  'identity-outdated': [...IDENTITY_OF_CLUSTERS, 'cluster-id-unique'],
  'service-missing': 'apiserver-address',
  // Of a lost half that was to be one-way, the other side tells.
  'peering-file-missing': ['peering-file-missing', 'peers-mutual'],
  'peering-lost': 'tls-orphaned-users',
  'certificate-missing': 'tls-present',
  'certificate-unreadable': 'tls-present',
  'certificate-key': 'tls-key',
  'certificate-expired': 'tls-expiry',
  'certificate-usage': 'tls-usage',
  'certificate-issuer': 'tls-chain',
  'peer-certificate-key': 'peers-certificate',
  'peer-certificate-expired': 'peers-certificate',
  'peer-certificate-issuer': 'peers-certificate',
  'peer-ca': 'tls-ca-trust',
  'peer-address-gone': 'peers-endpoint',
  'peer-address-family': 'peers-endpoint',
  'peer-user-missing': 'peers-user',
  'agents-missing': 'agents-run',
  'identity-mode-unknown': 'cluster-identity',
  'agents-outdated': 'identity-running',
  'cluster-name-unique': 'cluster-name-unique',
};

/** The ids of the checks that find a fault in the cluster that has it. */
export function findersOf(id: FaultId): string[] {
  return [FOUND_BY[id] ?? id].flat();
}

/** The same of what no fault explains. */
const OF_CLASS: Readonly<Partial<Record<StatusReason['id'], string>>> = {
  'own-apiserver-missing': APISERVER_DEPLOYED,
};

/**
 * Why nodes lack peers, or will, as the status says it: each reason once, however many clusters have it. What
 * no connection needs is not said.
 * @param others the contexts that a cluster which is connected to none can be connected to, where nothing says to whom
 */
export function unconnected(reports: readonly StatusReport[], others: readonly string[] = []): Finding[] {
  const reasons = reasonsOf({ clusters: [...reports] }, undefined, { isCheck: true }).filter(
    ({ places, cause }) => places.length > 0 || cause?.outage,
  );
  return [
    ...reports.flatMap((report) => withoutReason(report, reports, others)),
    ...reasons.map((reason) => findingFor(reason, reports)),
  ];
}

/** What is wrong with a cluster as a whole, so that no single peer says why. */
function withoutReason(report: StatusReport, reports: readonly StatusReport[], others: readonly string[]): Finding[] {
  const { context, namespace, enabled, kvstoremesh, problems, faults } = report;
  const place = { context, namespace };
  const fail = (reason: string, hint: string, foundBy?: string): Finding[] => [
    findingOf(ID, 'fail', context, { reason, ...(foundBy ? { foundBy, foundIn: context } : {}) }, hint),
  ];
  if (problems.length > 0) return [];
  const next = howToBegin(report, reports, { others }) ?? '';
  // Who dials it says more of one that others dial.
  const isSaid = faults.some(({ id, outage }) => outage && FOUND_BY[id] === APISERVER_DEPLOYED);
  if (!enabled && isSaid) return [];
  if (!enabled) return fail(`Cluster Mesh is not enabled${sinceDisable(report.unfinished)}`, next, APISERVER_DEPLOYED);
  if (isAlone(report)) {
    const { admits = [], invitations = [] } = report;
    const pending = invitations.find(({ state }) => state !== 'unreadable');
    const lacks =
      admits.length > 0
        ? `it dials no cluster, although it lets ${admits.join(', ')} in`
        : 'it is connected to no cluster';
    const waits = pending?.waitsFor === undefined ? '' : `; invitation ${pending.id} waits for ${pending.waitsFor}`;
    return fail(`${lacks}${waits}`, next);
  }
  if (kvstoremesh.enabled && kvstoremesh.replicas === 0) {
    const hint = describeCommand(place, 'deployment', { name: APISERVER });
    return fail('no KVStoreMesh replica runs', hint, 'apiserver-ready');
  }
  return [];
}

function findingFor(reason: StatusReason, reports: readonly StatusReport[]): Finding {
  const { id, about, lead, says, places, cause, message = '', hint } = reason;
  // Of what nobody has noticed yet, the cluster that has it.
  const isStanding = places.length === 0;
  const held = new Set(isStanding ? [cause?.context] : places.map(({ context }) => context));
  const holders = reports.filter(({ context }) => held.has(context));
  const labelOf = labelsOf(reports);
  const contexts = holders.map(({ context }) => context);
  const peers = about.filter((name) => !holders.some((holder) => [labelOf(holder), peerNameOf(holder)].includes(name)));
  const foundBy = cause ? (FOUND_BY[cause.id] ?? cause.id) : OF_CLASS[id];
  // That nobody could be asked says nothing without why.
  const why = id === 'agent-unreachable' && message !== '' ? [withoutContexts(message, contexts)] : [];
  const args = {
    reason: [...(lead === undefined ? [] : [lead]), says, ...why].join(': '),
    ...(peers.length > 0 ? { peers } : {}),
    ...(isStanding ? { standing: true } : {}),
    ...(isStanding && cause ? affectedBy(cause, reports) : {}),
    ...(foundBy === undefined
      ? {}
      : { foundBy, ...(cause ? placeOf(cause, reports) : { foundIn: contexts[0] ?? '' }) }),
  };
  const unseen = places.length > 0 && places.every(({ problem }) => isUnseen(problem)) ? { unseen: true as const } : {};
  const [context, ...more] = contexts;
  return context !== undefined && more.length === 0
    ? { ...findingOf(ID, 'fail', context, args, hint), ...unseen }
    : { id: ID, severity: 'fail', ...unseen, args: { contexts, ...args }, hint };
}

/** The other clusters whose nodes lose a peer by a fault that they have not noticed yet: those that dial the server which has it. */
function affectedBy({ component, context }: Fault, reports: readonly StatusReport[]): { affects?: readonly string[] } {
  const own = reports.find((report) => report.context === context);
  if (component !== 'apiserver' || !own) return {};
  const clients = reports.filter(
    (report) => report !== own && report.peers.some(({ name }) => name === peerNameOf(own)),
  );
  return clients.length > 0 ? { affects: clients.map((client) => client.context) } : {};
}

/** What a check says of a peer that dials, where that was read: it lacks a user here, or is not dialled back. */
const SAID_OF_CLIENTS: readonly FaultId[] = ['peer-user-missing', 'peers-mutual'];

/** Where a fault is found, and what it is about, as what finds it has that: the peers, or the Secret. */
function placeOf(fault: Fault, reports: readonly StatusReport[]): Record<'foundIn' | 'foundOf', readonly string[]> {
  const { id, context, peer, peers = peer === undefined ? [] : [peer], object } = fault;
  const [, secret] = /^Secret (.+)$/.exec(object) ?? [];
  const foundOf = peers.length > 0 || secret === undefined ? peers : [secret];
  if (!SAID_OF_CLIENTS.includes(id)) return { foundIn: [context], foundOf };
  const clients = reports.filter((report) => peerNameOf(report) === peer);
  const own = reports.find((report) => report.context === context);
  const server = own ? peerNameOf(own) : '';
  return { foundIn: [context, ...clients.map((client) => client.context)], foundOf: [...foundOf, server] };
}

/** Where it is, is said before it. */
function withoutContexts(message: string, contexts: readonly string[]): string {
  return contexts.reduce((text, context) => text.replace(`context "${context}": `, ''), message);
}

/** A finding of `unconnected` in words. */
export function saysUnconnected({ args }: Finding): string {
  const where = args.contexts ? `contexts ${listed(args.contexts)}` : `context "${args.context}"`;
  const peers = Array.isArray(args.peers) ? `, peer ${listed(args.peers)}` : '';
  return `${where}${peers}: ${args.reason}`;
}
