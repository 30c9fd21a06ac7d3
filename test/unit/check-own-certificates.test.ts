import { describe, expect, it } from 'vitest';
import type { TlsSecretFacts } from '../../src/mesh/certificates/certificate.ts';
import { runChecks } from '../../src/mesh/checks/shared/check.ts';
import { TLS_CHECKS } from '../../src/mesh/checks/tls/tls.ts';
import type { ClusterSnapshot } from '../../src/mesh/cluster-snapshot.ts';
import { keyOf } from '../../src/mesh/objects/kube-object.ts';
import { secretRef } from '../../src/mesh/objects/names.ts';
import { cachedPeerFile, remotePeerFile } from '../../src/mesh/peers/file/peer-config.ts';
import { apiserverDeployment, caFacts, NOW, secretObject, snapshotOf, tlsFacts } from '../support/snapshots.ts';

const secretOf = (role: string) => `clustermesh-apiserver-${role}-cert`;
const ROLES = {
  server: 'clustermesh-apiserver.kube-system.svc',
  admin: 'admin-mesh-1',
  local: 'local-mesh-1',
  remote: 'remote',
};

interface Shape {
  /** Prefix of the certificate by which mesh-2 is dialled. */
  prefix?: string;
  change?: (secrets: Map<string, TlsSecretFacts>) => void;
  more?: Partial<ClusterSnapshot>;
}

/** mesh-1, with its own certificates, which dials mesh-2. */
function cluster({ prefix = 'mesh-2.', change = () => undefined, more = {} }: Shape = {}): ClusterSnapshot {
  const tlsSecrets = new Map(
    Object.entries(ROLES).map(([role, commonName]) => {
      const names = role === 'server' ? { dnsNames: [commonName, '*.mesh.cilium.io'] } : {};
      return [secretOf(role), tlsFacts('ca-one', { commonName, usages: ['server', 'client'], ...names })];
    }),
  );
  change(tlsSecrets);
  return snapshotOf({
    live: [
      apiserverDeployment(),
      secretObject('cilium-clustermesh', { 'mesh-2': cachedPeerFile('kube-system') }),
      secretObject('cilium-kvstoremesh', {
        'mesh-2': remotePeerFile('mesh-2', { addresses: ['10.0.0.2:2379'] }, prefix),
      }),
    ],
    ca: caFacts('ca-one'),
    tlsSecrets,
    ...more,
  });
}

/** Severity and what it is about, of each check that does not pass. */
function found(one: ClusterSnapshot) {
  const checks = TLS_CHECKS.map((check) => ({ ...check, needs: [] }));
  return runChecks(checks, { clusters: [one], now: NOW, observed: new Map() })
    .filter(({ severity }) => severity !== 'pass')
    .map(({ id, severity, args }) => `${severity} ${id} ${args.secret ?? args.secrets ?? args.reason}`);
}

const without = (role: string) => (secrets: Map<string, TlsSecretFacts>) => secrets.delete(secretOf(role));
const expired = (role: string) => (secrets: Map<string, TlsSecretFacts>) => {
  const facts = secrets.get(secretOf(role));
  if (facts) secrets.set(secretOf(role), { ...facts, certificate: { ...facts.certificate, notAfter: NOW } });
};
const LACKS = (role: string) => `there is no readable certificate in Secret ${secretOf(role)}`;

describe('a certificate that is missing', () => {
  it('is no fault where nothing goes by it, and hides nothing that is said of the others', () => {
    expect(found(cluster({ change: without('remote') }))).toEqual([`warn tls-present ${secretOf('remote')}`]);
    const both = (secrets: Map<string, TlsSecretFacts>) => {
      without('remote')(secrets);
      expired('server')(secrets);
    };
    expect(found(cluster({ change: both }))).toEqual([
      `warn tls-present ${secretOf('remote')}`,
      `fail tls-expiry ${secretOf('server')}`,
    ]);
  });

  it('fails where peers are dialled with it; the others are judged, and not called well as a whole', () => {
    const both = (secrets: Map<string, TlsSecretFacts>) => {
      without('remote')(secrets);
      expired('server')(secrets);
    };
    expect(found(cluster({ prefix: 'common-', change: both }))).toEqual([
      `fail tls-present ${secretOf('remote')}`,
      ...['chain', 'key', 'usage'].map((id) => `skip tls-${id} ${LACKS('remote')}`),
      `fail tls-expiry ${secretOf('server')}`,
      `skip tls-expiry ${LACKS('remote')}`,
    ]);
  });

  it('is not called missing where it may not be read', () => {
    const unread = new Set([keyOf(secretRef('kube-system', secretOf('admin')))]);
    const results = found(cluster({ change: without('admin'), more: { unread } }));
    expect(results.every((one) => one.startsWith('skip '))).toBe(true);
    expect(results).toContain(`skip tls-present Secret ${secretOf('admin')} may not be read`);
  });
});

it('what is wrong with one that nothing goes by is a warning', () => {
  expect(found(cluster({ change: expired('remote') }))).toEqual([`warn tls-expiry ${secretOf('remote')}`]);
  expect(found(cluster({ prefix: 'common-', change: expired('remote') }))).toEqual([
    `fail tls-expiry ${secretOf('remote')}`,
  ]);
});

describe('programs of a cluster that dial its own etcd', () => {
  /** By two issuers of cert-manager's, which no Secret cilium-ca tells of. */
  const issued = (changed: Partial<Record<keyof typeof ROLES, TlsSecretFacts>>) =>
    cluster({
      change: (secrets) => {
        for (const [role, facts] of Object.entries(changed)) secrets.set(secretOf(role), facts);
      },
      more: { ca: undefined },
    });
  const facts = (role: keyof typeof ROLES, ca: string) => tlsFacts(ca, { commonName: ROLES[role] });
  const chain = (one: ClusterSnapshot) => found(one).filter((line) => line.includes('tls-chain'));

  it.each(['local', 'admin'] as const)('are told where they do not know the CA of its server: %s', (role) => {
    expect(chain(issued({ [role]: facts(role, 'ca-two') }))).toEqual([`fail tls-chain ${secretOf(role)}`]);
  });

  it('and where they know it, and it does not take their certificate', () => {
    const both = facts('local', 'ca-two');
    const one = caFacts('ca-one').certificate;
    const local = { ...both, authorities: both.ca ? [both.ca, one] : [one] };
    expect(chain(issued({ local }))).toEqual([`fail tls-chain ${secretOf('local')}`]);
  });

  it('are as good with either of two CAs while both are trusted', () => {
    const [one, two] = ['ca-one', 'ca-two'].map((ca) => caFacts(ca).certificate);
    const authorities = one && two ? [one, two] : [];
    const roles = Object.keys(ROLES) as (keyof typeof ROLES)[];
    const all = roles.map((role) => [role, { ...facts(role, role === 'local' ? 'ca-two' : 'ca-one'), authorities }]);
    expect(chain(issued(Object.fromEntries(all)))).toEqual([]);
  });

  it('are not told of where it is the server that is from elsewhere, which is said by itself', () => {
    const files = (ca: string) => ({
      ...{ certificate: tlsFacts(ca, {}).certificate, privateKey: 'matches' as const, signedByCa: true },
      ca: caFacts(ca).certificate,
      authorities: [caFacts(ca).certificate],
    });
    const tlsFiles = new Map(
      Object.keys(ROLES).map((role) => [secretOf(role), files(role === 'server' ? 'ca-two' : 'ca-one')]),
    );
    const one = cluster({
      change: (secrets) => secrets.set(secretOf('server'), tlsFacts('ca-two', { commonName: ROLES.server })),
      more: { tlsFiles },
    });
    expect(chain(one)).toEqual([`fail tls-chain ${secretOf('server')}`]);
  });
});
