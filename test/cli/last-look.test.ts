import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import { runCli } from '../support/cli.ts';
import { type ServiceClusters, serviceObjects, startServiceClusters } from '../support/service-clusters.ts';

/** Two clusters, of which the second does not answer any more once its Service is written. */
let clusters: ServiceClusters;
let isWritten = false;

const SERVICE = { apiVersion: 'v1', kind: 'Service', namespace: 'default', name: 'base' };

beforeAll(async () => {
  const intercept = async ({ httpMethod, resource }: { httpMethod: string; resource: string }): Promise<undefined> => {
    if (httpMethod === 'GET' && isWritten) throw new ApiError(503, 'ServiceUnavailable', 'restarting');
    if (httpMethod !== 'GET' && resource === 'services') isWritten = true;
  };
  clusters = await startServiceClusters(['one', 'two'], { two: { intercept } });
  for (const context of ['one', 'two']) {
    for (const object of serviceObjects('base', { mesh: {} }).slice(0, 1)) clusters.stores[context]?.create(object);
  }
});
afterAll(() => clusters?.close());

it('an API server that is away at the last look is no reason to take back what is written', async () => {
  const { exitCode, stderr } = await runCli(['service', 'global', 'default/base', '--context', 'one,two', '--yes'], {
    env: { KUBECONFIG: clusters.kubeconfigPath },
  });
  expect(exitCode, stderr).toBe(0);
  expect(stderr).toContain('whether others have undone meanwhile what this run has done there could not be seen');
  for (const context of ['one', 'two']) {
    const { annotations } = clusters.stores[context]?.get(SERVICE)?.metadata ?? {};
    expect(annotations, context).toMatchObject({ 'service.cilium.io/global': 'true' });
  }
});
