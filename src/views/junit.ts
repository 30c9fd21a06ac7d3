import { escapedXml } from './xml.ts';
/** One thing that was looked at, for programs that read test results. */
export interface JunitCase {
  name: string;
  /** Groups cases, e.g. a category. */
  className: string;
  failure?: { type: string; message: string; text: string } | undefined;
  skipped?: string | undefined;
  /** What is to be known of one that passed. */
  output?: string | undefined;
}

/** A JUnit report (the format of Jenkins and GitLab). Texts must be printable already: XML allows no control characters. */
export function junitXml(suites: readonly { name: string; cases: readonly JunitCase[] }[]): string {
  const body = suites.flatMap(({ name, cases }) => [
    `  <testsuite name="${escapedXml(name)}" ${countsOf(cases)}>`,
    ...cases.flatMap(caseLines),
    '  </testsuite>',
  ]);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${countsOf(suites.flatMap(({ cases }) => cases))}>`,
    ...body,
    '</testsuites>',
  ].join('\n');
}

function caseLines({ name, className, failure, skipped, output }: JunitCase): string[] {
  const open = `    <testcase classname="${escapedXml(className)}" name="${escapedXml(name)}"`;
  if (failure) {
    const { type, message, text } = failure;
    return [
      `${open}>`,
      `      <failure type="${escapedXml(type)}" message="${escapedXml(message)}">${escapedXml(text)}</failure>`,
      '    </testcase>',
    ];
  }
  if (skipped !== undefined)
    return [`${open}>`, `      <skipped message="${escapedXml(skipped)}"/>`, '    </testcase>'];
  if (output !== undefined)
    return [`${open}>`, `      <system-out>${escapedXml(output)}</system-out>`, '    </testcase>'];
  return [`${open}/>`];
}

function countsOf(cases: readonly JunitCase[]): string {
  const failures = cases.filter(({ failure }) => failure).length;
  const skipped = cases.filter((entry) => entry.skipped !== undefined).length;
  return `tests="${cases.length}" failures="${failures}" skipped="${skipped}"`;
}
