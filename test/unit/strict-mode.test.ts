import { describe, expect, it } from 'vitest';
import { CONFIG_CHECKS } from '../../src/mesh/checks/config.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { NOW, snapshotOf } from '../support/snapshots.ts';

/** Two clusters that route natively, with pods in 10.1.0.0/16 and 10.2.0.0/16; only the first encrypts, with WireGuard. */
function found(settings: Record<string, string>, version = '1.20.0', other: Record<string, string> = {}) {
  const clusterOf = (name: string, id: string, own: Record<string, string>) =>
    snapshotOf({
      context: name,
      ciliumConfig: {
        'cluster-name': name,
        'cluster-id': id,
        'routing-mode': 'native',
        ipam: 'kubernetes',
        ...own,
      },
      agent: { image: `quay.io/cilium/cilium:v${version}`, desired: 1, ready: 1 },
      ciliumPodCidrs: [`10.${id}.0.0/24`],
    });
  const clusters = [clusterOf('a', '1', { 'enable-wireguard': 'true', ...settings }), clusterOf('b', '2', other)];
  const checks = CONFIG_CHECKS.filter(({ id }) => id === 'encryption');
  const [finding] = runChecks(checks, { clusters, now: NOW });
  return [finding?.severity, finding && checks[0]?.says(finding).includes('strict mode drops it')];
}

const DROPS = ['fail', true];
const PLAIN = ['warn', false];
const EGRESS = (cidr: string) => ({
  'enable-encryption-strict-mode-egress': 'true',
  'encryption-strict-egress-cidr': cidr,
});
const FORMER = (cidr: string) => ({ 'enable-encryption-strict-mode': 'true', 'encryption-strict-mode-cidr': cidr });
const INGRESS = { 'enable-encryption-strict-mode-ingress': 'true' };

describe('encryption of one side only, and strict mode', () => {
  it.each<[string, Record<string, string>, string, unknown[]]>([
    ['none', {}, '1.20.0', PLAIN],
    ['a range of both sides', EGRESS('10.0.0.0/8'), '1.20.0', DROPS],
    ['a range of both sides', EGRESS('10.0.0.0/8'), '1.19.0', DROPS],
    ['a range of its own side', EGRESS('10.1.0.0/16'), '1.20.0', PLAIN],
    ['a range of the other side', EGRESS('10.2.0.0/16'), '1.20.0', PLAIN],
    ['an option that is not there yet', EGRESS('10.0.0.0/8'), '1.18.4', PLAIN],
    ['the former option', FORMER('10.0.0.0/8'), '1.18.4', DROPS],
    ['the former option of its own side', FORMER('10.1.0.0/16'), '1.18.4', PLAIN],
    ['the former option beside the new one', FORMER('10.0.0.0/8'), '1.19.0', DROPS],
    ['an option that is gone', FORMER('10.0.0.0/8'), '1.20.0', PLAIN],
    ['what arrives', INGRESS, '1.20.0', DROPS],
    ['what arrives, before there was an option', INGRESS, '1.18.4', PLAIN],
    ['off', { ...EGRESS('10.0.0.0/8'), 'enable-encryption-strict-mode-egress': 'false' }, '1.20.0', PLAIN],
  ])('%s: %j with %s', (_, settings, version, wanted) => {
    expect(found(settings, version)).toEqual(wanted);
  });

  it('is no matter where both encrypt alike', () => {
    expect(found(EGRESS('10.0.0.0/8'), '1.20.0', { 'enable-wireguard': 'true' })[0]).toBe('pass');
  });

  it('takes pods whose ranges are not known to be in it', () => {
    expect(found(EGRESS('10.0.0.0/8'), '1.20.0', { ipam: 'delegated-plugin' })).toEqual(DROPS);
  });
});
