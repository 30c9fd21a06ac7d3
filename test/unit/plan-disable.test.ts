import { expect, it } from 'vitest';
import type { TlsSecretFacts } from '../../src/mesh/certificates/certificate.ts';
import { planDisable, usersOfAuthority } from '../../src/mesh/enable/plan-disable.ts';
import { type KubeObject, keyOf, refOf } from '../../src/mesh/objects/kube-object.ts';
import { secretRef } from '../../src/mesh/objects/names.ts';
import { caFacts, snapshotOf, tlsFacts } from '../support/snapshots.ts';

const NAMESPACE = 'kube-system';
const made = (name: string): KubeObject => ({
  ...{ apiVersion: 'v1', kind: 'Secret', data: {} },
  metadata: {
    ...{ name, namespace: NAMESPACE, labels: { 'app.kubernetes.io/managed-by': 'meshctl' } },
    managedFields: [{ manager: 'meshctl', operation: 'Update' }],
  },
});

/** The step about a CA that meshctl has made, in a cluster where others have certificates too. */
function stepFor(others: Record<string, TlsSecretFacts>, unread: readonly string[] = []) {
  const own = ['cilium-ca', 'clustermesh-apiserver-server-cert'].map(made);
  const snapshot = snapshotOf({
    ca: caFacts('mesh'),
    objects: new Map(own.map((object) => [keyOf(refOf(object)), object])),
    tlsSecrets: new Map([['clustermesh-apiserver-server-cert', tlsFacts('mesh', {})], ...Object.entries(others)]),
    unread: new Set(unread.map((name) => keyOf(secretRef(NAMESPACE, name)))),
  });
  const possible = own.slice(1).map(refOf);
  const { steps } = planDisable({ snapshot, possible, keepCertificates: false });
  const { action, why } = steps.at(-1) ?? {};
  return `${action}: ${why}`;
}

const GONE = 'delete: meshctl put the CA there';
const users = usersOfAuthority(NAMESPACE).map(({ name }) => name);

it('a CA that nobody else uses goes, also where others have certificates of another one', () => {
  expect(stepFor({})).toBe(GONE);
  expect(stepFor({ 'hubble-server-certs': tlsFacts('former', {}) })).toBe(GONE);
});

it.each(users)('a CA stays, and the plan says for whom: %s', (name) => {
  const signed = tlsFacts('mesh', {});
  expect(stepFor({ [name]: signed })).toBe(`keep: it signed ${name}`);
  // Whatever stands beside a certificate, only who signed it can renew it.
  const { ca: issuer } = signed;
  const other = tlsFacts('other', {});
  expect(stepFor({ [name]: { ...other, signedByCa: false, issuer } })).toBe(`keep: it signed ${name}`);
  // After --replace-ca an upgrade of the chart writes the new CA beside certificates of the former one.
  const mixed = { ...signed, signedByCa: false, issuer: other.ca };
  expect(stepFor({ [name]: mixed })).toBe(`keep: ${name} has it`);
  // What was not seen is not called unused.
  expect(stepFor({}, [name])).toBe(`keep: whether it signed ${name} may not be read`);
});
