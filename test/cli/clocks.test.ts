import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataOf } from '../../src/mesh/objects/secret-data.ts';
import { readBundle } from '../../src/pki/read.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { connect, enable, type Meshctl, meshctlWith } from '../support/e2e-cli.ts';
import { showClock } from '../support/in-process-api.ts';
import { startTestSandbox, type TestSandbox } from '../support/sandbox-mesh.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const BOTH = 'mesh-1,mesh-2';

let sandbox: TestSandbox;
let meshctl: Meshctl;

/** Every certificate in a Secret of these clusters, with where it is. */
function certificatesIn(clusters: readonly SandboxCluster[]) {
  return clusters.flatMap(({ context, store }) =>
    store.list({ apiVersion: 'v1', kind: 'Secret', namespace: 'kube-system' }).flatMap((secret) =>
      Object.entries(dataOf(secret)).flatMap(([key, text]) => {
        const pem = Buffer.from(text, 'base64').toString();
        if (!pem.includes('BEGIN CERTIFICATE')) return [];
        return readBundle(pem).map(({ notBefore, notAfter }) => ({
          at: `${context} ${secret.metadata.name} ${key}`,
          notBefore,
          notAfter,
        }));
      }),
    ),
  );
}

/** Those that are not valid on the clock of each cluster. @param aheadMs how far that of each is ahead */
function refusedIn(clusters: readonly SandboxCluster[], aheadMs: readonly number[]): string[] {
  const certificates = certificatesIn(clusters);
  expect(certificates.length).toBeGreaterThan(10);
  return certificates.flatMap(({ at, notBefore, notAfter }) =>
    aheadMs.some((ms) => {
      const shown = Date.now() + ms;
      return shown < notBefore.getTime() || shown > notAfter.getTime();
    })
      ? [`${at}: ${notBefore.toISOString()} to ${notAfter.toISOString()}`]
      : [],
  );
}

describe.each([-400 * DAY_MS, -49 * HOUR_MS, -HOUR_MS, HOUR_MS, 30 * HOUR_MS])(
  "an operator's machine that is so far ahead of all clusters: %d ms",
  (aheadMs) => {
    const now = () => new Date(Date.now() + aheadMs);
    beforeAll(async () => {
      sandbox = await startTestSandbox({ clusters: 2, nodes: 1 });
      for (const { url } of sandbox.clusters) showClock(url, 0);
      meshctl = meshctlWith(sandbox.kubeconfigPath);
    });
    afterAll(() => sandbox.close());

    it('writes only certificates that clusters accept, and says that the clock is to be set', async () => {
      for (const words of [
        enable(BOTH, '--cert-validity', '24h'),
        connect('mesh-1', 'mesh-2'),
        ['clustermesh', 'certs', 'rotate', '--context', BOTH],
        ['clustermesh', 'certs', 'rotate', '--context', BOTH, '--ca', '--yes'],
      ]) {
        const { stderr } = await meshctl.ok(words, { now });
        expect(refusedIn(sandbox.clusters, [0]), words.join(' ')).toEqual([]);
        expect(stderr.match(/this machine's clock is \d+ (minutes|hours|days) (behind|ahead of)/g)).toHaveLength(1);
      }
    });
  },
);
