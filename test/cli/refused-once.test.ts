import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { ApiError } from '../../src/sandbox/apiserver/errors.ts';
import {
  type ConnectClusters,
  type SeenRequest,
  startConnectClusters,
  statusIsGreen,
} from '../support/connect-clusters.ts';
import { connect } from '../support/e2e-cli.ts';

let clusters: ConnectClusters;

beforeAll(async () => {
  clusters = await startConnectClusters(2);
  expect((await clusters.meshctl(connect('mesh-1', 'mesh-2'))).exitCode).toBe(0);
  expect((await statusIsGreen(clusters)).exitCode).toBe(0);
});
afterEach(() => {
  clusters.fault = undefined;
});
afterAll(async () => {
  expect(clusters?.errors).toEqual([]);
  await clusters?.close();
});

/**
 * A wait of which the first look sees an agent that cannot be asked, and the next ones are refused.
 * @param refusals so many looks
 * @param answers reads of Cilium's configuration before them: one when the context is opened, one for each look
 */
async function waitRefused(code: 401 | 403, refusals: number, answers = 2) {
  let looks = 0;
  clusters.fault = async ({ verb, resource, subresource, name }: SeenRequest) => {
    const isFirst = verb === 'get' && resource === 'configmaps' && name === 'cilium-config';
    if (isFirst) looks += 1;
    if (looks <= answers && subresource === 'exec') throw new ApiError(503, 'ServiceUnavailable', 'shutting down');
    const isRefused = looks > answers && looks <= answers + refusals;
    if (isRefused && isFirst) throw new ApiError(code, code === 401 ? 'Unauthorized' : 'Forbidden', 'is refused');
    return undefined;
  };
  const argv = ['clustermesh', 'status', '--context', 'mesh-1', '--wait', '--wait-duration', '30s'];
  const { exitCode, stderr } = await clusters.meshctl(argv);
  return { exitCode, stderr, looks };
}

it.each([401, 403] as const)('one %s after an answer does not end a wait', async (code) => {
  const { exitCode, stderr, looks } = await waitRefused(code, 1);
  expect(exitCode, stderr).toBe(0);
  expect(looks).toBeGreaterThan(2);
});

it.each([401, 403] as const)('a second %s in a row does, long before its time', async (code) => {
  const { exitCode, looks } = await waitRefused(code, 1000);
  expect(exitCode).toBe(3);
  expect(looks).toBeLessThan(8);
});

it.each([401, 403] as const)('a %s from the beginning ends it at once', async (code) => {
  const { exitCode, looks } = await waitRefused(code, 1000, 1);
  expect(exitCode).toBe(3);
  expect(looks).toBeLessThan(4);
});
