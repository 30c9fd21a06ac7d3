import { expect, it } from 'vitest';
import { MENDS } from '../../src/mesh/faults/fault-advice.ts';
import { isRefusedByConnect } from '../../src/mesh/faults/unready.ts';
import { ADVICE } from '../../src/mesh/status/failure-reason.ts';
import { CATALOGUE } from '../support/fault-catalogue.ts';

/** What no entry shows, and why. Its words and its next step have tests of their own. */
const NOT_IN_A_SANDBOX: Readonly<Record<string, string>> = {
  'not-configured': 'it passes as soon as a kubelet looks: test/cli/status-reasons.test.ts',
  'not-taken-up': 'it takes a kubelet that does not look for minutes: test/unit/standing-status.test.ts',
  unknown: 'it is what Cilium says in words that nobody knows yet: test/unit/status.test.ts',
  'peer-renamed':
    'it takes a rename that everything has followed: test/cli/check-identity.test.ts, test/unit/renamed-peers.test.ts',
  'choice-half-recorded': 'it takes a third cluster: test/cli/one-way-record.test.ts',
  'peering-lost': 'it takes a third cluster: test/unit/both-halves.test.ts',
  'peers-mutual': 'it takes a third cluster: test/cli/status-faces.test.ts',
  'peer-address-doubtful': 'the catalogue looks at both clusters: test/unit/standing-status.test.ts',
  'peer-address-family': 'it takes a client and a server of different families: test/cli/connect-families.test.ts',
  'agents-missing': 'whoever installs Cilium gives it back: test/unit/agents.test.ts',
  'max-connected-clusters-equal': 'Cilium is to be installed anew: test/unit/standing.test.ts',
  'cluster-id-of-eni': 'it takes a cloud: test/unit/status-and-check.test.ts',
  'cluster-name-unique': 'it takes a third cluster: test/cli/restored-clone.test.ts',
  starting: 'it passes with the next attempt: test/cli/status-reasons.test.ts',
  'peer-unconfigured':
    'kubelets of the sandbox take away what a deleted Secret held: test/unit/standing-status.test.ts',
};

/** By `status`, or of the CA, which that does not read, by `certs list`: `context role id`. */
const told = new Set(
  CATALOGUE.flatMap(({ status, certs = [] }) => [...status, ...certs.map((row) => row.split(' ').at(-1))]),
);
const known = [...Object.keys(MENDS), ...Object.keys(ADVICE)];

it.each(known.map((id) => [id]))('%s: an entry of the catalogue shows it', (id) => {
  expect(told.has(id), `it is not in ${[...told]}`).toBe(!(id in NOT_IN_A_SANDBOX));
});

it('has no entry twice', () => {
  const ids = CATALOGUE.map(({ id }) => id);
  expect(ids).toEqual([...new Set(ids)]);
});

it('excuses only what there is', () => {
  expect(Object.keys(NOT_IN_A_SANDBOX).filter((id) => !known.includes(id))).toEqual([]);
});

const REFUSED = CATALOGUE.filter(({ connect }) => connect === 'ClusterMeshNotEnabled');

it.each(REFUSED.map(({ id, status }) => [id, status] as const))(
  '%s: no hint for several peers names the cluster that connect would refuse for it',
  (_id, status) => {
    const object = 'Secret clustermesh-apiserver-server-cert';
    const faultIds = status.filter((id): id is keyof typeof MENDS => id in MENDS);
    expect(faultIds.some((id) => isRefusedByConnect({ id, object }))).toBe(true);
  },
);
