import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { jsonOf } from '../support/cli.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { refs, startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';
import { requireValid } from '../support/schemas.ts';

/** Who ends a wait by Ctrl-C is shown what was seen last, and that it is that. */
let sandbox: TestSandbox;
let meshctl: Meshctl;
let onExec: () => void = () => {};

beforeAll(async () => {
  sandbox = await startTestSandbox({
    nodes: 1,
    intercept: async (_context, { subresource }) => {
      if (subresource === 'exec') onExec();
      return undefined;
    },
  });
  meshctl = meshctlWith(sandbox.kubeconfigPath);
  await meshctl.ok(enable('mesh-1,mesh-2'));
  await meshctl.ok(connect('mesh-1', 'mesh-2'));
  // Nobody new gets in, so that the wait is long.
  sandbox.clusters[1]?.store.update(refs.deployment('clustermesh-apiserver'), ({ spec }) => {
    (spec as { replicas: number }).replicas = 0;
  });
});

afterAll(() => sandbox?.close());

/** @param looks so many requests to agents before Ctrl-C */
async function interrupted(argv: readonly string[], execs: number) {
  const end = new AbortController();
  let seen = 0;
  onExec = () => {
    seen += 1;
    if (seen > execs) end.abort();
  };
  return meshctl(['clustermesh', 'status', ...argv, '--wait'], { signal: end.signal });
}

describe.each([
  ['several', ['--context', 'mesh-1,mesh-2'], 'MeshStatusReport', /mesh-1 .*\n/],
  ['one', ['--context', 'mesh-1'], 'StatusReport', /mesh-2/],
])('of %s', (_what, argv, kind, matrix) => {
  it('in words', async () => {
    const { exitCode, stdout, stderr } = await interrupted(argv, 12);
    expect(exitCode, stderr).toBe(130);
    expect(stderr).toMatch(/✖ interrupted\n$/);
    expect(stdout).toMatch(/^⚠️ {2}Interrupted while it waited; this is what was seen last:\n/);
    expect(stdout).toMatch(matrix);
  });

  it('as a document', async () => {
    const result = await interrupted([...argv, '-o', 'json'], 12);
    expect(result.exitCode).toBe(130);
    const document = jsonOf(result);
    requireValid(document);
    expect(document).toMatchObject({ kind, interrupted: true, healthy: false });
  });
});

it('before anything was seen there is nothing to show', async () => {
  const { exitCode, stdout } = await interrupted(['--context', 'mesh-1,mesh-2'], 0);
  expect([exitCode, stdout]).toEqual([130, '']);
});
