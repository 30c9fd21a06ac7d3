import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { PACKAGE_ROOT } from '../support/schemas.ts';

const FOLDER = new URL('.github/workflows/', PACKAGE_ROOT);
const names = await readdir(FOLDER);

interface Workflow {
  permissions: Record<string, string>;
  jobs: Record<string, { uses?: string; steps?: { uses?: string; run?: string }[]; 'timeout-minutes'?: number }>;
}

describe.each(names)('%s', async (name) => {
  const workflow: Workflow = parse(await readFile(new URL(name, FOLDER), 'utf8'));
  const jobs = Object.values(workflow.jobs);
  const steps = jobs.flatMap((job) => job.steps ?? []);

  it('pins each action to a version', () => {
    const used = [...steps, ...jobs].flatMap(({ uses }) => uses ?? []).filter((action) => !action.startsWith('./'));
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((action) => !/^[\w-]+\/[\w-]+@v\d+\.\d+\.\d+$/.test(action))).toEqual([]);
  });

  it('may only read, unless a job says more, and ends', () => {
    expect(workflow.permissions).toEqual({ contents: 'read' });
    for (const job of jobs) if (job.steps) expect(job['timeout-minutes']).toBeLessThanOrEqual(30);
  });

  it('runs scripts of package.json that there are', async () => {
    const { scripts } = JSON.parse(await readFile(new URL('package.json', PACKAGE_ROOT), 'utf8'));
    const called = steps.flatMap(({ run = '' }) => [...run.matchAll(/npm run ([\w:]+)/g)].map(([, script]) => script));
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(called));
  });
});

describe('a tag is released', () => {
  const checkTag = (tag: string) =>
    execa(process.execPath, [fileURLToPath(new URL('.ci/packages/check-tag.mjs', PACKAGE_ROOT)), tag], {
      reject: false,
    });

  it('only if it is the version', async () => {
    const { exitCode, stderr } = await checkTag('v99.0.0');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^the tag is v99\.0\.0, but package\.json has the version \d/);
  });
});
