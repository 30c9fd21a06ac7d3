import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EXPLANATIONS_PAGE, explainableIds, explanationsIn } from '../../src/mesh/explain.ts';
import { jsonOf, runCli } from '../support/cli.ts';

const page = readFileSync(new URL(`../../${EXPLANATIONS_PAGE}`, import.meta.url), 'utf8');
const explanations = explanationsIn(page);

describe('the page that explains ids', () => {
  it('has a section for every reason, fault, check and failure of a probe, and for nothing else', () => {
    expect(explanations.map(({ id }) => id).sort()).toEqual(
      explainableIds()
        .map(({ id }) => id)
        .sort(),
    );
  });

  it('says of each what it means, and what mends it', () => {
    const lacking = explanations.filter(
      ({ text }) => !/^[A-Z`].+\n\n(\*\*In Cilium:\*\* .+\n\n)?\*\*Fix:\*\* \S/s.test(text),
    );
    expect(lacking.map(({ id }) => id)).toEqual([]);
  });

  it('says of each reason and fault how it looks in Cilium', () => {
    const [, checks = ''] = page.split('## What check looks at');
    const ofChecks = explanationsIn(checks).map(({ id }) => id);
    const silent = explanations.filter(({ id, text }) => !ofChecks.includes(id) && !text.includes('**In Cilium:**'));
    expect(silent.map(({ id }) => id)).toEqual([]);
  });
});

describe('meshctl explain', () => {
  it('prints the paragraph of an id, with commands whole and links as words', async () => {
    const { exitCode, stdout } = await runCli(['explain', 'permission-denied,ca-key']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('permission-denied\n\nThe TLS handshake succeeded, and etcd has no such user');
    expect(stdout).toMatch(
      /^Fix: `meshctl clustermesh connect --context gke --destination-context eks` makes the user first,$/m,
    );
    expect(stdout).toContain('\n\nFix: as for ca-missing.\n');
    expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
  });

  it('lists all without an id', async () => {
    const { stdout } = await runCli(['explain']);
    for (const { id } of explainableIds()) expect(stdout).toMatch(new RegExp(`^${id} +\\S`, 'm'));
  });

  it('gives the same as data', async () => {
    const document = jsonOf(await runCli(['explain', 'tls-names', '-o', 'json']));
    expect(document.explanations).toEqual(explanations.filter(({ id }) => id === 'tls-names'));
  });

  it('knows near names of an id that there is not', async () => {
    const { exitCode, stderr } = await runCli(['explain', 'permision-denied']);
    expect([exitCode, stderr]).toEqual([
      2,
      expect.stringMatching(/there is no id "permision-denied"\n.*permission-denied/),
    ]);
  });

  it('completes ids, also the last of a list', async () => {
    const { stdout } = await runCli(['__complete', 'explain', 'peer-ca,permission-d']);
    expect(stdout).toMatch(/^peer-ca,permission-denied$/m);
  });
});
