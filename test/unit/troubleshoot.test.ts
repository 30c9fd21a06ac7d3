import { describe, expect, it } from 'vitest';
import { failingDials, plainSerial, presentedSerial } from '../../src/mesh/status/troubleshoot.ts';

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

describe('what fails when peers are dialled anew', () => {
  it('is told by peer; one address of several may fail', () => {
    const failing = failingDials(OUTPUT);
    expect([...failing].map(([peer, { class: reason }]) => [peer, reason])).toEqual([
      ['mesh-2', 'refused'],
      ['mesh-4', 'permission-denied'],
    ]);
    expect(failing.get('mesh-2')?.message).toBe('Cannot establish TLS connection to 10.250.2.100:2379: EOF');
  });

  it('is nothing where the program does not know the command', () => {
    expect(failingDials('Error: unknown command "troubleshoot" for "kvstoremesh-dbg"')).toEqual(new Map());
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
