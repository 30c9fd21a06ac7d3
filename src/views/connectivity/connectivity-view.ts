import { meshctlCommand } from '../../mesh/command-line.ts';
import {
  type ConnectivityReport,
  type Percentiles,
  SCENARIOS,
  type ScenarioResult,
} from '../../mesh/connectivity/connectivity.ts';
import { capital, shareOf } from '../../mesh/counted.ts';
import type { UnreachableCluster } from '../../mesh/status/mesh-status.ts';
import { junitXml, leftoverCase, unreachableCases } from '../junit.ts';
import { tableLines } from '../table.ts';
import type { Theme } from '../theme.ts';

const MARKS: Readonly<Record<ScenarioResult['result'], string>> = { pass: '✅', fail: '❌', skip: '⏭️ ' };

/**
 * The report for people: scenario by scenario what was seen, then latencies, then the verdict.
 * @param untested clusters that did not answer
 */
export function connectivityText(
  report: ConnectivityReport,
  untested: readonly UnreachableCluster[],
  theme: Theme,
): string {
  const lines: string[] = [];
  let scenario: ScenarioResult['scenario'] | undefined;
  for (const result of inOrder(report.scenarios)) {
    if (result.scenario !== scenario) lines.push(theme.bold(SCENARIOS[result.scenario]));
    scenario = result.scenario;
    const seen = result.result === 'fail' ? theme.fail(result.evidence) : result.evidence;
    lines.push(`  ${MARKS[result.result]} ${whereOf(result)}: ${seen}`);
  }
  return [...lines, '', ...latencyLines(report, theme), '', verdict(report, untested, theme)].join('\n');
}

/** The scenarios as JUnit test cases. */
export function connectivityJunit(
  { scenarios, left = [] }: ConnectivityReport,
  untested: readonly UnreachableCluster[],
): string {
  const cases = inOrder(scenarios).map((result) => ({
    name: whereOf(result),
    className: `connectivity.${result.scenario}`,
    ...(result.result === 'fail' && {
      failure: { type: result.scenario, message: result.evidence, text: JSON.stringify(result.requests ?? {}) },
    }),
    ...(result.result === 'skip' && { skipped: result.evidence }),
  }));
  const silent = unreachableCases('connectivity', untested);
  const kept = left.map((one) => leftoverCase('connectivity', one));
  return junitXml([{ name: 'meshctl connectivity test', cases: [...cases, ...silent, ...kept] }]);
}

/** Failover and return alternate from cluster to cluster; here each scenario is together. */
function inOrder(results: readonly ScenarioResult[]): ScenarioResult[] {
  const order = Object.keys(SCENARIOS);
  return [...results].sort((a, b) => order.indexOf(a.scenario) - order.indexOf(b.scenario));
}

function whereOf({ from, to, family }: ScenarioResult): string {
  const over = family === undefined ? '' : ` over IPv${family}`;
  return `${to === undefined ? `from ${from}` : `${from} → ${to}`}${over}`;
}

/** Of many requests where they were sent. */
function latencyLines({ scenarios }: ConnectivityReport, theme: Theme): string[] {
  const many = scenarios.filter(({ scenario }) => scenario === 'performance');
  const paths = many.length > 0 ? many : scenarios.filter(({ scenario }) => scenario === 'pod-to-pod');
  const row = (latency: Percentiles) => [latency.p50, latency.p90, latency.p99, latency.max].map((ms) => ms.toFixed(1));
  const rows = paths.flatMap((path) => (path.latencyMs ? [[whereOf(path), ...row(path.latencyMs)]] : []));
  if (rows.length === 0) return [];
  return [theme.bold('latency in ms'), ...tableLines([['', 'p50', 'p90', 'p99', 'max'], ...rows], '  ')];
}

/**
 * Where to look: at the network where pods do not reach each other, for nothing else can work then; at the connections where
 * services are not shared; else at what the clusters have and should not.
 */
function nextStep(scenarios: readonly ScenarioResult[], context: readonly string[]): string {
  const failed = new Set(scenarios.flatMap(({ scenario, result }) => (result === 'fail' ? [scenario] : [])));
  if (failed.has('pod-to-pod') || failed.has('performance')) {
    return `Do packets get through? ${meshctlCommand('connectivity probe', { context })}`;
  }
  const isShared = !failed.has('global-service') && !failed.has('spread');
  return isShared
    ? `What is odd about the clusters: ${meshctlCommand('clustermesh check', { context })}`
    : `Are they connected? ${meshctlCommand('clustermesh status', { context })}`;
}

function verdict(
  { scenarios, clusters, left: kept = [] }: ConnectivityReport,
  untested: readonly UnreachableCluster[],
  theme: Theme,
): string {
  const failed = scenarios.filter(({ result }) => result === 'fail').length;
  const skipped = scenarios.filter(({ result }) => result === 'skip').length;
  const where = clusters.map(({ name }) => name).join(', ');
  const contexts = clusters.map(({ context }) => context);
  const left = skipped > 0 ? `, ${skipped} skipped` : '';
  if (failed > 0) {
    return [
      `❌ ${theme.fail(`${capital(shareOf(failed, scenarios.length, 'test'))} failed${left} (${where})`)}`,
      `   ${theme.dim('→')} ${nextStep(scenarios, contexts)}`,
    ].join('\n');
  }
  const passed = scenarios.length - skipped;
  if (passed === 0) return `⚠️  ${theme.warn(`Nothing was tested: all ${skipped} tests were skipped (${where})`)}`;
  const names = (of: readonly { context: string }[]) => of.map(({ context }) => `"${context}"`).join(', ');
  const but = [
    ...(untested.length > 0 ? [`context ${names(untested)} was not tested`] : []),
    ...(kept.length > 0 ? [`not all of the test is removed from context ${names(kept)}`] : []),
  ];
  if (but.length > 0) {
    return `⚠️  ${theme.warn(`The ${passed} tests between ${where} passed${left}; ${but.join('; ')}`)}`;
  }
  return `✅ All ${passed} tests passed${left} (${where})`;
}
