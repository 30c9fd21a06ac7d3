import { errorsIn, failuresIn, unsignedIn } from './findings.mjs';

/** @typedef {import('./report.mjs').Finding} Finding */

/** @returns {Finding} */
const error = (where, says, hint) => ({ level: 'error', where, says, hint });
/** @returns {Finding} */
const warning = (where, says, hint) => ({ level: 'warning', where, says, hint });

/**
 * What decides the exit status of a command beside what its warnings say, by the fields in which results have it.
 * @param {object} document
 * @returns {Finding[]}
 */
export function shortfallsIn(document) {
  const { kind, failures, unsigned, unissued = [], midway = [], left = [], faults = [], unreachable } = document;
  return [
    ...failuresIn(failures),
    ...unsignedIn(unsigned),
    ...[...unissued, ...midway].map(({ context, says, hint }) => error(context, says, hint)),
    ...left.map(({ context, says, hint }) => warning(context, says, hint)),
    ...faults.map(({ context, says, hint, outage }) => (outage === false ? warning : error)(context, says, hint)),
    ...unreadIn(document),
    ...missingIn(document),
    ...routesIn(document),
    ...versionsIn(document),
    ...findingsIn(document),
    ...stillEnabledIn(document),
    ...unprovedDialsIn(document),
    ...(Array.isArray(document.unknown) ? document.unknown : []).map((one) => error(one.context, one.why, one.hint)),
    ...(document.untold ?? []).map(({ from, node }) =>
      error(from, `node ${node} could not be asked for all its routes`),
    ),
    ...(document.invitations ?? [])
      .filter(({ state }) => state === 'unreadable')
      .map(({ context, id }) => error(context, `what is kept of invitation ${id} cannot be read`)),
    ...VERDICTS.flatMap(([field, bad, says]) => (document[field] === bad ? [error(kind, says)] : [])),
    ...errorsIn(unreachable),
  ];
}

/** Each with the value by which it is a failure. */
const VERDICTS = [
  ['verified', false, 'it could not be verified that it has taken effect'],
  ['survivable', false, 'not each service survives the loss of each cluster'],
  ['supported', false, 'what runs does not all go together'],
  ['complete', false, 'not all routes are known'],
  ['interrupted', true, 'it was interrupted'],
];

/** Of `certs list`. */
function unreadIn({ unread = [] }) {
  return unread.map(({ context, secrets }) => error(context, `may not be read: ${secrets.join(', ')}`));
}

/** Of `export`: the file tells of clusters that it has nothing of. */
function missingIn({ kind, metadata }) {
  const missing = metadata?.annotations?.['meshctl.io/missing'];
  return missing ? missing.split('\n').map((words) => error(kind, `missing in the file: ${words}`)) : [];
}

/** Of `routes`: routes that there are not, and pod ranges that may not be read. */
function routesIn({ kind, routes = [], clusters = [] }) {
  if (kind !== 'RoutesReport') return [];
  return [
    ...routes
      .filter(({ source }) => source === undefined)
      .map(({ from, node, to, podCidr }) => error(from, `node ${node} has no route to ${podCidr} of ${to}`)),
    ...clusters
      .filter(({ hint }) => hint !== undefined)
      .map(({ context, hint }) => error(context, 'its pod ranges may not be read', hint)),
  ];
}

/** Of `version`: what it does not know for want of rights. */
function versionsIn({ kind, clusters = [] }) {
  if (kind !== 'VersionReport') return [];
  return clusters.flatMap(({ context, agents, unread = [] }) => [
    ...(agents === undefined ? [error(context, 'its agents may not be read')] : []),
    ...(unread.length > 0 ? [error(context, `may not be read: ${unread.join(', ')}`)] : []),
  ]);
}

/** Of `version`. */
function findingsIn({ findings = [] }) {
  return findings.map(({ severity, contexts, message, hint }) => {
    const finding = severity === 'fail' ? error : warning;
    return finding(contexts.join(', '), message, hint);
  });
}

/** Of `disable`, of one cluster and of several, and of `apply`. */
function stillEnabledIn({ context, stillEnabled, clusters = [] }) {
  const own = Array.isArray(stillEnabled) ? stillEnabled : stillEnabled ? [{ cluster: context, ...stillEnabled }] : [];
  const each = clusters.flatMap((one) => (one.stillEnabled ? [{ cluster: one.context, ...one.stillEnabled }] : []));
  return [...own, ...each].map(({ cluster, says, hint }) => error(cluster, `still enabled: ${says}`, hint));
}

/** Of `accept` what could not be seen, of `connect` addresses at which nobody knows who answers. */
function unprovedDialsIn({ kind, unproved = [] }) {
  if (!Array.isArray(unproved)) return [];
  return unproved.map((one) =>
    typeof one === 'string'
      ? error(kind, one)
      : warning(`${one.from} to ${one.to}`, `it is not known who answers at ${one.addresses.join(', ')}`),
  );
}
