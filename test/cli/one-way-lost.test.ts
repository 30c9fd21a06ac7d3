import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ConnectClusters, startConnectClusters } from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';
import { printedCommands } from '../support/printed-commands.ts';
import { found, refs, setSecret } from '../support/sandbox-mesh.ts';

/** mesh-1 dials mesh-2 one-way, as chosen, and has lost that. */
let clusters: ConnectClusters;

const ok = (...argv: string[]) => clusters.meshctl.ok(argv);
const BOTH = ['--context', 'mesh-1,mesh-2'];
const STATUS = ['clustermesh', 'status', ...BOTH];
const SAYS = 'mesh-1 does not dial mesh-2, which lets it in one-way, as chosen';

const lose: Record<string, () => Promise<unknown>> = {
  'with its Secrets': async () => {
    for (const name of ['cilium-clustermesh', 'cilium-kvstoremesh']) {
      found(clusters.clusters[0], 'mesh-1').store.delete(refs.secret(name));
    }
  },
  'while it dials another one': async () => {
    await ok(...connect('mesh-1', 'mesh-3'));
    const one = found(clusters.clusters[0], 'mesh-1');
    const files = ['-ca.crt', '.crt', '.key'].map((suffix) => [`mesh-2.etcd-client${suffix}`, undefined]);
    setSecret(one, 'cilium-kvstoremesh', { 'mesh-2': undefined, ...Object.fromEntries(files) });
    setSecret(one, 'cilium-clustermesh', { 'mesh-2': undefined });
  },
  'by parting with it by itself': () =>
    ok('clustermesh', 'disconnect', '--context', 'mesh-1', '--peer', 'mesh-2', '--yes'),
};

describe.each(Object.keys(lose))('a one-way connection that its client has lost %s', (how) => {
  beforeEach(async () => {
    clusters = await startConnectClusters(3);
    await ok(...connect('mesh-1', 'mesh-2'), '--connection-mode', 'unicast');
    await lose[how]?.();
    // What agents have of it is gone some moments later.
    await expect.poll(async () => (await clusters.meshctl(STATUS)).stdout).toContain(SAYS);
  });
  afterEach(() => clusters?.close());

  it('is told by status and check, and comes back one-way by the first way that they print', async () => {
    const check = await clusters.meshctl(['clustermesh', 'check', ...BOTH, '--category', 'peers']);
    expect(check.stdout).toContain(SAYS);
    const status = await clusters.meshctl(STATUS);
    expect(status.exitCode).toBe(1);
    const again = printedCommands(status).find(({ argv }) => argv.includes('connect'));
    await ok(...(again?.argv ?? []));
    await ok(...STATUS, '--wait');
    const { stdout } = await ok(...STATUS);
    expect(stdout).toContain('← only');
  });

  it('is not spoken of any more after the second one', async () => {
    const status = await clusters.meshctl(STATUS);
    const part = printedCommands(status).find(({ argv }) => argv.includes('disconnect'));
    await ok(...(part?.argv ?? []), '--yes');
    expect((await clusters.meshctl(STATUS)).stdout).not.toContain(SAYS);
  });
});
