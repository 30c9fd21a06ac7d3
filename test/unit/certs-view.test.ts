import { expect, it } from 'vitest';
import { type CertificateFault, listCertificates } from '../../src/mesh/certificates/inventory.ts';
import { describeFindings } from '../../src/mesh/checks/catalogue.ts';
import { expiry } from '../../src/mesh/checks/tls/tls.ts';
import { REMOTE_CERT_SECRET, SERVER_CERT_SECRET } from '../../src/mesh/objects/names.ts';
import { certificatesText } from '../../src/views/certificates/certs-view.ts';
import type { Theme } from '../../src/views/theme.ts';
import { NOW, snapshotOf, tlsFacts } from '../support/snapshots.ts';

const same = (text: string) => text;
const PLAIN: Theme = { bold: same, dim: same, ok: same, warn: same, fail: same };

it.each([
  [true, 'No certificates of Cluster Mesh'],
  [false, 'No cluster could be read'],
])('a list of certificates says of nothing why it is nothing: read %s', (read, text) => {
  expect(certificatesText({ certificates: [], faults: [], rotations: [], unread: [], read }, PLAIN)).toBe(text);
});

it('a certificate that ends with an intermediate CA of its chain says so', () => {
  const snapshot = snapshotOf({
    ca: undefined,
    tlsSecrets: new Map([[REMOTE_CERT_SECRET, tlsFacts('ca', { notAfter: NOW, endsWith: 'Issuing' })]]),
  });
  const certificates = listCertificates(snapshot, NOW);
  const text = certificatesText({ certificates, faults: [], rotations: [], unread: [], read: true }, PLAIN);
  expect(text).toContain('0 d, with CA Issuing');
});

const DAY_MS = 24 * 60 * 60 * 1000;
it.each([
  ['of years, in its last 30 days', 3 * 365, 29, true],
  ['of years, before them', 3 * 365, 31, false],
  ['of 30 days, fresh', 30, 30, false],
  ['of 30 days, in its last third', 30, 9, true],
])('a certificate %s is marked where check warns of it', (_what, lifetime, left, isMarked) => {
  const notAfter = new Date(NOW.getTime() + left * DAY_MS);
  const notBefore = new Date(notAfter.getTime() - lifetime * DAY_MS);
  const facts = tlsFacts('ca', { notBefore, notAfter });
  const snapshot = snapshotOf({ ca: undefined, tlsSecrets: new Map([[REMOTE_CERT_SECRET, facts]]) });
  const certificates = listCertificates(snapshot, NOW);
  const theme = { ...PLAIN, warn: (text: string) => `<${text}>` };
  const text = certificatesText({ certificates, faults: [], rotations: [], unread: [], read: true }, theme);
  expect(text.includes(`<${left} d`)).toBe(isMarked);
  expect(expiry(facts.certificate, NOW)?.severity).toBe(isMarked ? 'warn' : undefined);
});

it('a CA that is not valid yet is marked, and stands first', () => {
  const { ca } = snapshotOf();
  const notBefore = new Date(NOW.getTime() + 30 * 60 * 60 * 1000);
  const snapshot = snapshotOf({
    ca: ca && { ...ca, certificate: { ...ca.certificate, notBefore } },
    tlsSecrets: new Map([[SERVER_CERT_SECRET, tlsFacts('ca', {})]]),
  });
  const certificates = listCertificates(snapshot, NOW).reverse();
  expect(certificates.map(({ role, notYetValid }) => [role, notYetValid])).toEqual([
    ['server', undefined],
    ['ca', true],
  ]);
  const theme = { ...PLAIN, fail: (text: string) => `<${text}>` };
  const text = certificatesText({ certificates, faults: [], rotations: [], unread: [], read: true }, theme);
  expect(text.split('\n')[1]).toMatch(/ ca .*<\d+ d, not valid before 2.*Z>/);
});

it('the worst of hundreds is among the first rows, and those of peers that are well are one', () => {
  const names = Array.from({ length: 20 }, (_, index) => `mesh-${index + 1}`);
  const left = (days: number) => tlsFacts('ca', { notAfter: new Date(NOW.getTime() + days * DAY_MS), notBefore: NOW });
  const certificates = names.flatMap((name) =>
    listCertificates(
      {
        ...snapshotOf({
          ca: undefined,
          tlsSecrets: new Map([[SERVER_CERT_SECRET, left(1094)]]),
          peerCertificates: new Map(
            names.flatMap((peer) =>
              peer === name ? [] : [[peer, left(name === 'mesh-16' && peer === 'mesh-19' ? -3 : 1094)] as const],
            ),
          ),
        }),
        context: name,
      },
      NOW,
    ),
  );
  const fault: CertificateFault = {
    ...{
      context: 'mesh-18',
      cluster: 'mesh-18',
      secret: 'gone',
      role: 'admin',
      id: 'certificate-missing',
      outage: true,
    },
    ...{ says: 'Secret gone is missing', hint: 'meshctl clustermesh enable --context mesh-18' },
  };
  const report = { certificates, faults: [fault], rotations: [], unread: [], read: true };
  const lines = certificatesText(report, PLAIN).split('\n');
  expect(lines[1]).toContain('not there');
  expect(lines[2]).toContain('expired 3 d');
  expect(lines.length).toBeLessThan(60);
  expect(lines).toContainEqual(expect.stringMatching(/^mesh-1 +19 peers .* 1094 d$/));
  expect(lines).toContainEqual(expect.stringMatching(/^mesh-16 +18 peers .* 1094 d$/));
  expect(lines.at(-1)).toBe('400 certificates in 20 clusters: 1 expired, 1 missing or unreadable');
  const wide = certificatesText(report, PLAIN, { headers: true, wide: true }).split('\n');
  expect(wide.length).toBeGreaterThan(400);
  expect(wide[2]).toContain('expired 3 d');
  const rows = certificatesText(report, PLAIN, { headers: false }).split('\n');
  expect(rows).toHaveLength(401);
  const well = certificates.filter(({ expiresInDays }) => expiresInDays > 0);
  const last = certificatesText({ ...report, certificates: well, faults: [] }, PLAIN)
    .split('\n')
    .at(-1);
  expect(last).toBe('399 certificates in 20 clusters: the first expires in 1094 d');
});

it('a reason that names its context already is not given it twice', () => {
  const check = { id: 'ownership-drift', category: 'ownership', title: 'x', says: () => '' };
  const entry = (reason: string) =>
    describeFindings([check], [{ id: check.id, severity: 'skip', cluster: 'a', args: { context: 'a', reason } }])[0];
  expect(entry('context "a": cannot get ServiceAccount')?.message).toBe('context "a": cannot get ServiceAccount');
  expect(entry('it was not planned')?.message).toBe('context "a": it was not planned');
});

it.each<[string, string, string, string[]]>([
  ['of one name', 'Cilium CA', 'Cilium CA', ['Cilium CA a1a1a1', 'Cilium CA b2b2b2']],
  ['of two names', 'Cilium CA', 'Company CA', ['Cilium CA  ', 'Company CA  ']],
])('CAs %s in a list are told apart', (_what, one, two, cells) => {
  const leaf = (name: string, digits: string) => {
    const facts = tlsFacts(digits, { commonName: 'x', issuerCommonName: name });
    return { ...facts, ca: facts.ca && { ...facts.ca, commonName: name, sha256: digits.repeat(32) } };
  };
  const tlsSecrets = new Map([
    [REMOTE_CERT_SECRET, leaf(one, 'a1')],
    [SERVER_CERT_SECRET, leaf(two, 'b2')],
  ]);
  const certificates = listCertificates(snapshotOf({ ca: undefined, tlsSecrets }), NOW);
  const text = certificatesText({ certificates, faults: [], rotations: [], unread: [], read: true }, PLAIN);
  for (const cell of cells) expect(text).toContain(cell);
  expect(text.includes('a1a1a1')).toBe(one === two);
});
