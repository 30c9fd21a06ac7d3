import type { CertificateSpec } from '../../src/mesh/certificates/certificate.ts';
import { certificateSpecs } from '../../src/mesh/certificates/cluster-certificates.ts';
import type { SandboxCluster } from '../../src/sandbox/sandbox.ts';
import { found } from './sandbox-mesh.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** What the server certificate of a sandbox cluster with the load balancer's first address is. */
export function serverCertificateSpec({ name, id, namespace }: SandboxCluster): CertificateSpec {
  const specs = certificateSpecs({
    clusterName: name,
    namespace,
    serviceAddresses: [`172.18.${id}.100`],
    kvstoremesh: true,
  });
  return found(specs[0], 'the server certificate').spec;
}

/** A validity that ends so many days from now; in the past when negative. */
export function lasting(days: number): { now: Date; validityMs: number } {
  return { now: new Date(Date.now() - 100 * DAY_MS), validityMs: (100 + days) * DAY_MS };
}

/** A year from the day after tomorrow on, as from a machine that is ahead. */
export function beginningLater(): { now: Date; validityMs: number } {
  return { now: new Date(Date.now() + 2 * DAY_MS), validityMs: 365 * DAY_MS };
}
