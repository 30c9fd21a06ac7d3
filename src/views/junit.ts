import type { Leftover } from '../mesh/connectivity/connectivity.ts';
import type { UnreachableCluster } from '../mesh/status/mesh-status.ts';
import { escapedXml } from './xml.ts';

/** One thing that was looked at, for programs that read test results. */
export interface JunitCase {
  name: string;
  /** Groups cases, e.g. a category. */
  className: string;
  failure?: { type: string; message: string; text: string } | undefined;
  skipped?: string | undefined;
  /** What is to be known besides. */
  output?: string | undefined;
}

/** Cases that belong together. */
interface JunitSuite {
  name: string;
  cases: readonly JunitCase[];
  /** What is to be known of all of them, each a text of its own. */
  warnings?: readonly string[] | undefined;
}

/** A JUnit report (the format of Jenkins and GitLab). Texts must be printable already: XML allows no control characters. */
export function junitXml(suites: readonly JunitSuite[]): string {
  const body = suites.flatMap(({ name, cases, warnings = [] }) => [
    `  <testsuite name="${escapedXml(name)}" ${countsOf(cases)}>`,
    ...cases.flatMap(caseLines),
    ...(warnings.length > 0 ? [`    <system-out>${warnings.map(escapedXml).join('\n')}</system-out>`] : []),
    '  </testsuite>',
  ]);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${countsOf(suites.flatMap(({ cases }) => cases))}>`,
    ...body,
    '</testsuites>',
  ].join('\n');
}

/** What is wrong or odd, and under it the next step, where there is one. */
export function withNextStep(message: string, hint = ''): string {
  return hint === '' ? message : `${message}\n→ ${hint}`;
}

/** Of a cluster that could not be asked. */
export function unreachableFailure({ code, message, hint }: UnreachableCluster): JunitCase['failure'] {
  return { type: code, message, text: withNextStep(message, hint) };
}

/** Of each cluster that could not be asked. @param suite the first word of the group of cases */
export function unreachableCases(suite: string, clusters: readonly UnreachableCluster[]): JunitCase[] {
  return clusters.map((cluster) => ({
    name: `context ${cluster.context}`,
    className: `${suite}.clusters`,
    failure: unreachableFailure(cluster),
  }));
}

/** Of what could not be removed from a cluster. @param suite the first word of the group of cases */
export function leftoverCase(suite: string, { context, message, hint }: Leftover): JunitCase {
  return {
    name: `context ${context}`,
    className: `${suite}.removal`,
    failure: { type: 'removal', message, text: withNextStep(message, hint) },
  };
}

function caseLines({ name, className, failure, skipped, output }: JunitCase): string[] {
  const open = `    <testcase classname="${escapedXml(className)}" name="${escapedXml(name)}"`;
  const within = [
    ...(failure
      ? [
          `<failure type="${escapedXml(failure.type)}" message="${escapedXml(failure.message)}">${escapedXml(failure.text)}</failure>`,
        ]
      : []),
    ...(skipped === undefined ? [] : [`<skipped message="${escapedXml(skipped)}"/>`]),
    ...(output === undefined ? [] : [`<system-out>${escapedXml(output)}</system-out>`]),
  ];
  if (within.length === 0) return [`${open}/>`];
  return [`${open}>`, ...within.map((line) => `      ${line}`), '    </testcase>'];
}

function countsOf(cases: readonly JunitCase[]): string {
  const failures = cases.filter(({ failure }) => failure).length;
  const skipped = cases.filter((entry) => entry.skipped !== undefined).length;
  return `tests="${cases.length}" failures="${failures}" skipped="${skipped}"`;
}
