import { describe, expect, it } from 'vitest';
import { dialOutcomes, isTooOld, plainSerial, presentedSerial } from '../../src/mesh/status/troubleshoot.ts';

/** The form of Cilium's troubleshoot output, certificates left out. */
const OUTPUT = `Found 3 cluster configurations

Cluster "mesh-2":
📄 Configuration path: /var/lib/cilium/clustermesh/mesh-2

🔌 Endpoints:
   - https://10.250.2.100:2379
     ✅ TCP connection successfully established to 10.250.2.100:2379
     ❌ Cannot establish TLS connection to 10.250.2.100:2379: EOF

⚙️ Etcd client:
   ❌ Failed to establish connection: context deadline exceeded

Cluster "mesh-3":
🔌 Endpoints:
   - https://10.250.3.11:32379
     ❌ Cannot establish TCP connection to 10.250.3.11:32379: dial tcp 10.250.3.11:32379: connect: connection refused
   - https://10.250.3.12:32379
     ✅ TCP connection successfully established to 10.250.3.12:32379

⚙️ Etcd client:
   ✅ Etcd connection successfully established

Cluster "mesh-4":
⚙️ Etcd client:
   ❌ Failed to retrieve key from etcd: etcdserver: permission denied
`;

function inShort(output: string) {
  const outcomes = [...dialOutcomes(output)];
  return Object.fromEntries(outcomes.map(([peer, outcome]) => [peer, outcome === 'works' ? outcome : outcome.class]));
}

describe('what fails when peers are dialled anew', () => {
  it('is told by peer; one address of several may fail', () => {
    expect(inShort(OUTPUT)).toEqual({ 'mesh-2': 'refused', 'mesh-3': 'works', 'mesh-4': 'permission-denied' });
    expect(dialOutcomes(OUTPUT).get('mesh-2')).toMatchObject({
      message: 'Cannot establish TLS connection to 10.250.2.100:2379: EOF',
    });
  });

  it.each([
    [
      'tls-client-rejected',
      ['Cannot establish TLS connection to a:2379: client certificate is not signed by any acceptable CA'],
    ],
    [
      'cannot-resolve',
      [
        'Cannot resolve hostname: lookup a.example on 10.96.0.10:53: read udp 10.0.1.7:4->10.96.0.10:53: i/o timeout',
        'Cannot establish TCP connection to a.example:2379: dial tcp: lookup a.example on 10.96.0.10:53: i/o timeout',
      ],
    ],
    ['unknown', ['Cannot establish TLS connection to a:2379: something that nobody has seen']],
    ['timed-out', []],
  ])('is %s by what the addresses say, before the time limit of etcd’s client', (expected, lines) => {
    const steps = lines.map((line) => `     ❌ ${line}\n`).join('');
    const output = `Cluster "mesh-2":\n🔌 Endpoints:\n${steps}\n⚙️ Etcd client:\n   ❌ Failed to establish connection: context deadline exceeded\n`;
    expect(inShort(output)).toEqual({ 'mesh-2': expected });
  });

  it('is told by the words of Cilium 1.16 too', () => {
    expect(inShort(OUTPUT.replaceAll('Cluster "', 'Remote cluster "'))).toEqual(inShort(OUTPUT));
  });

  it.each([
    ['has no section', 'Found 0 cluster configurations\n', {}],
    ['is not dialled at all', 'Cluster "mesh-2":\n❌ Configuration not found\n', { 'mesh-2': 'unknown' }],
    ['has a section that was cut off', OUTPUT.slice(0, OUTPUT.indexOf('⚙️ Etcd client:')), {}],
    ['has a section that was cut off in its last step', 'Cluster "mesh-2":\n⚙️ Etcd client:\n', {}],
    ['could not be asked about', '', {}],
  ])('of a peer that %s', (_what, output, expected) => {
    expect(inShort(output)).toEqual(expected);
  });

  it.each([
    ['Error: unknown command "troubleshoot" for "cilium-dbg"', '', true],
    // What is printed for a command below another one, with exit code 0.
    ['', 'Usage:\n  kvstoremesh-dbg [command]\n\nAvailable Commands:\n  status   Display status\n', true],
    ['', '', false],
    ['Error while creating client: dial unix', '', false],
    ['', OUTPUT, false],
  ])('a program that says %j and %j is too old: %s', (stderr, stdout, expected) => {
    expect(isTooOld({ stdout, stderr })).toBe(expected);
  });
});

describe('the certificate with which a peer is dialled', () => {
  const CERTIFICATES = `🔑 Digital certificates:
   ✅ TLS Root CA certificates:
      - Serial number:       11:22:33
        Subject:             CN=Cilium CA
   ✅ TLS client certificates:
      - Serial number:       0a:bc:0f
        Subject:             CN=remote-mesh-1
`;

  it('is known by its serial number, however that is written', () => {
    expect(presentedSerial(CERTIFICATES)).toBe(plainSerial('0ABC0F'));
    expect(plainSerial('ABC0F')).toBe('abc0f');
  });

  it('is not known where it does not say, or has none', () => {
    expect(presentedSerial(OUTPUT)).toBeUndefined();
    expect(presentedSerial('⚠️ No available TLS client certificates')).toBeUndefined();
  });
});
