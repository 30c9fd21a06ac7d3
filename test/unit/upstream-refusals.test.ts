import { describe, expect, it } from 'vitest';
import { COMPATIBILITY_CHECKS } from '../../src/mesh/checks/compatibility.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { requireCiliumEndpoints } from '../../src/mesh/cilium/cilium-endpoints.ts';
import { requireIdentity } from '../../src/mesh/cilium/identity.ts';
import { MeshctlError } from '../../src/mesh/errors.ts';
import { NOW, snapshotOf } from '../support/snapshots.ts';

/**
 * What Cilium's chart (templates/validate.yaml, each `fail` that is about cluster.name, cluster.id or the clustermesh-apiserver) and
 * its agents (pkg/clustermesh, pkg/ztunnel) refuse, as far as a cluster's settings show it: meshctl refuses it, too. What is left out
 * is about values of the chart alone, which no cluster has: issuers, certificates given as values, authMode. Of kvstoreMode: kvstore.test.ts.
 */
const REFUSED: [string, string, Record<string, string>][] = [
  ['an empty name', 'cluster-identity', { 'cluster-name': '' }],
  ['a name of more than 32 characters', 'cluster-identity', { 'cluster-name': 'a'.repeat(33) }],
  ['a name with capitals', 'cluster-identity', { 'cluster-name': 'Mesh' }],
  ['the name "default" with an id', 'cluster-identity', { 'cluster-name': 'default' }],
  ['an id out of range', 'cluster-identity', { 'cluster-id': '512' }],
  ['a size that there is not', 'cluster-identity', { 'max-connected-clusters': '300' }],
  ['state in a kvstore', 'cluster-identity', { 'identity-allocation-mode': 'kvstore' }],
  ['an id from 128 with ENI', 'cluster-id-of-eni', { 'cluster-id': '128', ipam: 'eni' }],
  ['an id from 128 on Alibaba Cloud', 'cluster-id-of-eni', { 'cluster-id': '255', ipam: 'alibabacloud' }],
  [
    'an id from 384 with ENI',
    'cluster-id-of-eni',
    { 'cluster-id': '384', 'max-connected-clusters': '511', ipam: 'eni' },
  ],
  ['an id from 128 on the AWS CNI', 'cluster-id-of-eni', { 'cluster-id': '128', 'cni-chaining-mode': 'aws-cni' }],
  ['ztunnel', 'ztunnel', { 'enable-ztunnel': 'true' }],
  ['no CiliumEndpoints', 'cilium-endpoints', { 'disable-endpoint-crd': 'true' }],
];

const clusterWith = (settings: Record<string, string>, image = 'quay.io/cilium/cilium:v1.20.0') =>
  snapshotOf({
    ciliumConfig: { 'cluster-name': 'mesh-1', 'cluster-id': '1', ...settings },
    agent: { image, desired: 1, ready: 1 },
  });

const failing = (settings: Record<string, string>, image?: string) =>
  runChecks(COMPATIBILITY_CHECKS, { clusters: [clusterWith(settings, image)], now: NOW })
    .filter(({ severity }) => severity === 'fail')
    .map(({ id }) => id);

describe('what Cilium refuses', () => {
  it.each(REFUSED)('%s: check %s fails', (_, id, settings) => {
    expect(failing(settings)).toContain(id);
  });

  it.each(REFUSED)('%s is refused by enable and connect, and by nothing else beside the check', (_, id, settings) => {
    const enabled = () => {
      requireIdentity(clusterWith(settings));
      requireCiliumEndpoints(clusterWith(settings));
    };
    expect(enabled).toThrow(MeshctlError);
    expect(failing(settings).filter((one) => one !== 'cluster-identity')).toEqual(
      id === 'cluster-identity' ? [] : [id],
    );
  });

  it('an agent with ztunnel is not told to take an id, which would end it', () => {
    const refused = (settings: Record<string, string>, image?: string) => {
      try {
        requireIdentity(clusterWith(settings, image));
      } catch (error) {
        return error instanceof MeshctlError ? `${error.message} ${error.hint}` : String(error);
      }
      return '';
    };
    const ZTUNNEL = { 'cluster-id': '0', 'enable-ztunnel': 'true' };
    expect(refused(ZTUNNEL)).toMatch(/ztunnel/);
    expect(refused(ZTUNNEL)).not.toMatch(/Set cluster-id|rollout restart/);
    expect(refused(ZTUNNEL, 'quay.io/cilium/cilium:v1.18.4')).toMatch(/Set cluster-id/);
    expect(refused({ 'cluster-id': '0', ipam: 'eni' })).toMatch(/an id below 128/);
  });

  it('what agents before 1.19 do not know, and what was agreed to, is not refused', () => {
    expect(failing({ 'enable-ztunnel': 'true' }, 'quay.io/cilium/cilium:v1.18.4')).toEqual([]);
    expect(failing({ 'cluster-id': '128', ipam: 'eni', 'allow-unsafe-policy-skb-usage': 'true' })).toEqual([]);
  });
});
