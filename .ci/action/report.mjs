import { ofError } from './error-report.mjs';
import { errorsIn, markOf, objectName, pairWords, rowOf, warningsIn } from './findings.mjs';
import { readJunit } from './junit.mjs';
import { ofPlan } from './plan-report.mjs';
import { shortfallsIn } from './shortfalls.mjs';

/**
 * @typedef {{ file: string, line: number, col: number }} Place within a file of the repository
 * @typedef {{ level: 'error' | 'warning', where: string, says: string, hint?: string, place?: Place }} Finding
 * @typedef {{ headline: string, head?: string[], rows?: string[][], findings: Finding[], isPart?: boolean }} Report
 * `isPart`: the document has more to say than this.
 */

/**
 * What a command of meshctl printed, for people.
 * @param {string} output its stdout
 * @param {(text: string) => unknown} [parseYaml] what reads YAML
 * @returns {Report | undefined} undefined where it is no document that has findings
 */
export function reportOf(output, parseYaml) {
  if (output.startsWith('<?xml')) return ofJunit(output);
  const document = output.startsWith('apiVersion: meshctl.io/')
    ? parsed(output, parseYaml)
    : parsed(output, JSON.parse);
  if (!document?.apiVersion?.startsWith('meshctl.io/')) return undefined;
  const of = BY_KIND[document.kind];
  const report = of ? of(document) : ofOther(document);
  const besides = besidesIn(document);
  if (!report) return besides.length > 0 ? part(document, besides) : undefined;
  // Nothing that has words is wrong, and it is not well all the same, as where nothing was tested.
  const isUnwell = document.passed === false || document.healthy === false;
  const own = isUnwell && report.findings.length === 0 ? [NOT_WELL] : report.findings;
  return { ...report, findings: [...own, ...besides] };
}

/** @type {Finding} */
const NOT_WELL = { level: 'error', where: 'meshctl', says: 'it is not all well, as far as could be seen' };

function parsed(output, parse) {
  try {
    return parse?.(output);
  } catch {
    return undefined;
  }
}

const BY_KIND = {
  Error: ofError,

  CheckReport({ checks, unreachable, oneSided, untried, warnings }) {
    const count = (severity) => checks.filter((check) => check.severity === severity).length;
    // What rights are lacking for was not looked at, and may well be wrong.
    const found = checks.filter(({ severity, blind }) => severity === 'fail' || severity === 'warn' || blind);
    const counts = ['pass', 'warn', 'fail', 'skip'].map((severity) => `${count(severity)} ${severity}`);
    return {
      headline: `${checks.length} checks: ${counts.join(', ')}`,
      head: ['', 'check', 'cluster', ''],
      rows: found.map(({ severity, id, cluster = '', message }) => [markOf(severity), id, cluster, message ?? '']),
      findings: [
        ...found.map(({ severity, id, cluster, message, title, hint }) => ({
          level: severity === 'fail' ? 'error' : 'warning',
          where: cluster ? `${id}, ${cluster}` : id,
          says: message ?? title,
          hint,
        })),
        ...(oneSided
          ? [
              {
                level: 'warning',
                where: 'check',
                says: `judged by one side: ${oneSided.peers.join(', ')}`,
                hint: oneSided.hint,
              },
            ]
          : []),
        ...(untried
          ? [
              {
                level: 'warning',
                where: 'check',
                says: `no packet was sent for ${untried.checks.join(', ')}`,
                hint: untried.hint,
              },
            ]
          : []),
        ...errorsIn(unreachable),
        ...warningsIn(warnings),
      ],
    };
  },

  StatusReport: (status) => ofStatus([status], []),
  MeshStatusReport: ({ clusters, unreachable = [] }) => ofStatus(clusters, unreachable),

  ConnectivityReport({ scenarios, left, unreachable, warnings }) {
    const count = (result) => scenarios.filter((scenario) => scenario.result === result).length;
    return {
      headline: `${scenarios.length} scenarios: ${count('pass')} passed, ${count('fail')} failed, ${count('skip')} skipped`,
      head: ['', 'scenario', 'from', 'to', ''],
      rows: scenarios.map(({ scenario, from, to, result, evidence }) => [markOf(result), scenario, from, to, evidence]),
      findings: [
        ...scenarios
          .filter(({ result }) => result === 'fail')
          .map(({ scenario, from, to, evidence }) => ({
            level: 'error',
            where: `${scenario}, ${from} to ${to}`,
            says: evidence,
          })),
        ...errorsIn(left),
        ...errorsIn(unreachable),
        ...warningsIn(warnings),
      ],
    };
  },

  MeshDiff({
    clusters,
    unconnected,
    missingServices,
    notEnabled = [],
    notInFile,
    agreement = [],
    unreachable,
    warnings,
  }) {
    const found = [
      ...clusters.flatMap(({ name, steps }) =>
        steps.map(({ action, object, why }) => [name, `${action} ${objectName(object)}: ${why}`]),
      ),
      ...notEnabled.map(({ name, says, hint }) => [name, says, hint]),
      ...unconnected.map((pair) => ['mesh', `not connected: ${pairWords(pair)}`]),
      ...missingServices.map(({ service, clusters: without, hint }) => [
        'mesh',
        `no Service ${service} in ${without.join(', ')}`,
        hint,
      ]),
      ...notInFile.connections.map((pair) => ['in no file', pairWords(pair)]),
      // Of an older version there is none.
      ...(notInFile.letIn ?? []).map((one) => ['in no file', letInWords(one), one.hint]),
      ...notInFile.peers.map((one) => ['in no file', strangerWords(one)]),
      ...notInFile.services.map(({ service, clusters: of }) => [
        'in no file',
        `global Service ${service} in ${of.join(', ')}`,
      ]),
    ].map(([where, says, hint]) => ({ level: 'error', where, says, hint }));
    const asked = agreement.map((says) => ({ level: 'warning', where: 'apply asks', says }));
    const beside = [...asked, ...warningsIn(warnings)];
    return {
      headline:
        clusters.length === 0
          ? 'No cluster could be read'
          : `Differences between ${clusters.length} clusters and their file: ${found.length}`,
      head: ['', 'where', ''],
      rows: [...found, ...beside].map(rowOf),
      findings: [...found, ...errorsIn(unreachable), ...beside],
    };
  },

  Plan: ofPlan,

  ProbeReport({ tests, paths, failures, untested, unseen = [], left, unreachable, warnings }) {
    const count = (verdict) => tests.filter((test) => test.verdict === verdict).length;
    const silent = count('not-tested');
    const unproved = paths.flatMap(unprovedIn);
    return {
      headline: `${tests.length} tests of the network: ${count('open')} open${silent > 0 ? `, ${silent} not tested` : ''}`,
      head: ['', '', 'from', 'to', ''],
      rows: [
        ...failures.map(({ required, verdict, from, to, likely }) => [
          markOf(required ? 'fail' : 'warn'),
          ...[verdict, from, to, likely],
        ]),
        ...untested.map(({ why, from = '', to = '', sender, kinds }) => [
          markOf(unproved.some((one) => isWhy(one, { from, to, sender, kinds })) ? 'fail' : 'skip'),
          ...[
            'not-tested',
            from,
            to,
            `${kinds.map((kind) => sentWords(kind, sender)).join(', ') || 'anything'}: ${why}`,
          ],
        ]),
        ...unseen.map(({ cluster, node, why = NOTHING_SEEN }) => [markOf('fail'), 'not-tested', cluster, node, why]),
      ],
      findings: [
        ...failures.map(({ required, verdict, from, to, packets, likely, hints }) => ({
          level: required ? 'error' : 'warning',
          where: `${verdict}, ${from} to ${to}`,
          says: `${packets.map(packetWords).join(', ')}: ${likely}`,
          hint: hints.join('\n'),
        })),
        ...unproved.map((cell) => ({
          level: 'error',
          where: `not-tested, ${cell.from} to ${cell.to}`,
          says: [
            sentWords(cell.kind, cell.sender),
            ...untested.filter((one) => isWhy(cell, one)).map(({ why }) => why),
          ].join(': '),
        })),
        ...unseen.map(({ cluster, node, why = NOTHING_SEEN }) => ({
          level: 'error',
          where: `not-tested, ${node} of ${cluster}`,
          says: why,
        })),
        ...errorsIn(left),
        ...errorsIn(unreachable),
        ...warningsIn(warnings),
      ],
    };
  },
};

/** Of a node that takes part in a probe. */
const NOTHING_SEEN = 'nothing was seen from or to it';

function letInWords({ cluster, peer, isLost, isParted }) {
  const says = `${cluster} lets ${peer} in`;
  if (isParted) return `${says}, but ${peer} neither dials it nor lets it in any more`;
  return isLost ? `${says}, but ${peer} does not dial it: half of a peering is lost` : says;
}

function strangerWords({ peer, knownBy, mayLeave }) {
  const words = `peer ${peer} of ${knownBy.join(', ')}`;
  if (!mayLeave) return words;
  return `${words} (--prune also disables Cluster Mesh there, where meshctl enabled it and it has no other peer)`;
}

function packetWords({ kind, protocol, port }) {
  return `${kind} ${protocol}${port === undefined ? '' : ` ${port}`}`;
}

/** What the mesh needs of a path, and nobody saw pass or get lost: it is not proved. Of one that is broken anyway, nothing. */
function unprovedIn({ from, to, cells }) {
  const needed = cells.filter(({ required }) => required);
  const unseen = needed.filter(({ verdict }) => verdict === 'not-tested');
  const isBroken = needed.some(({ verdict }) => verdict !== 'not-tested' && verdict !== 'open');
  return isBroken ? [] : unseen.map(({ kind, sender }) => ({ from, to, kind, sender }));
}

function isWhy({ from, to, kind, sender }, untested) {
  const isSent = kind !== 'apiserver' || untested.sender === sender;
  return untested.from === from && untested.to === to && untested.kinds.includes(kind) && isSent;
}

/** Pods send to an apiserver beside nodes. */
function sentWords(kind, sender) {
  return kind === 'apiserver' && sender ? `${kind} (${sender})` : kind;
}

function ofStatus(clusters, unreachable) {
  const healthy = clusters.filter((status) => status.healthy).length;
  return {
    headline: `${healthy} of ${clusters.length + unreachable.length} clusters are healthy`,
    head: ['', 'cluster', 'context', 'nodes connected', 'peers'],
    rows: clusters.map(({ healthy: well, unproved, cluster, context, nodes, peers }) => [
      markOf(well ? 'pass' : unproved ? 'skip' : 'fail'),
      cluster.name,
      context,
      `${nodes.connected}/${nodes.total}`,
      peers.map(({ name, agents }) => `${name} ${agents.connected}/${agents.total}`).join(', '),
    ]),
    findings: [
      ...clusters.flatMap(besideReasons),
      ...clusters.flatMap(({ warnings }) => warningsIn(warnings)),
      ...clusters.flatMap(({ context, unread = [], reasons = [], problems, faults = [] }) => [
        ...reasons.map(({ says, hint }) => ({ level: 'error', where: context, says, hint })),
        ...(unread.length > 0
          ? [{ level: 'warning', where: context, says: `may not be read: ${unread.join(', ')}` }]
          : []),
        ...problems.map(({ says, message, hint }) => ({ level: 'error', where: context, says: says ?? message, hint })),
        ...faults.map(({ says, hint, outage }) => ({
          level: outage ? 'error' : 'warning',
          where: context,
          says,
          hint,
        })),
      ]),
      ...errorsIn(unreachable),
    ],
  };
}

/** What a status leaves out, or could not see. */
function besideReasons({ context, leftOut = [], unaddressed, invitationsUnread }) {
  return [
    ...leftOut.map(({ by, nodes }) => `no agent runs on ${nodes.join(', ')} (${by})`),
    ...(unaddressed ? ['its Service has no address yet'] : []),
    ...(invitationsUnread ? ['its invitations could not be read'] : []),
  ].map((says) => ({ level: 'warning', where: context, says }));
}

/** Of a result that has no words of its own here, what was left undone, and what is to be known besides. */
function ofOther(document) {
  const findings = [...shortfallsIn(document), ...warningsIn(document.warnings)];
  return findings.length === 0 ? undefined : part(document, findings);
}

function part({ kind }, findings) {
  return { headline: kind, head: ['', 'where', ''], rows: findings.map(rowOf), findings, isPart: true };
}

/** What documents of every kind tell beside their own: clocks that are apart, and rights for want of which something was not seen. */
function besidesIn({ clocks = [], lacking = [] }) {
  return [
    ...clocks.map((says) => ({ level: 'warning', where: 'clocks', says })),
    ...lacking.map(({ context, says, hint }) => ({ level: 'warning', where: context, says, hint })),
  ];
}

function ofJunit(xml) {
  const { tests, skipped, failures, warnings } = readJunit(xml);
  return {
    headline: `${tests} checked: ${failures.length} failed, ${skipped} skipped`,
    head: ['', 'what', '', ''],
    rows: failures.map(({ name, group, text }) => [markOf('fail'), name, group, text]),
    findings: [
      ...failures.map(({ name, text }) => ({ level: 'error', where: name, says: text })),
      ...warningsIn(warnings),
    ],
  };
}
