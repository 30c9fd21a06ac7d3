import type { FaultEntry } from './fault.ts';
import { CERTIFICATE_FAULTS } from './fault-catalogue-certificates.ts';
import { AUTHORITY_FAULTS, CLUSTER_FAULTS } from './fault-catalogue-clusters.ts';
import { DIALING_FAULTS } from './fault-catalogue-dialing.ts';
import { IDENTITY_FAULTS } from './fault-catalogue-identities.ts';
import { NODE_FAULTS } from './fault-catalogue-nodes.ts';
import { ROTATION_FAULTS } from './fault-catalogue-rotations.ts';
import { SERVING_FAULTS } from './fault-catalogue-serving.ts';
import { SURROUNDING_FAULTS } from './fault-catalogue-surroundings.ts';
import { VERSION_FAULTS } from './fault-catalogue-versions.ts';
import { found } from './sandbox-mesh.ts';

/** Every fault, wherever it is tried. */
export const CATALOGUE: readonly FaultEntry[] = [
  ...AUTHORITY_FAULTS,
  ...CERTIFICATE_FAULTS,
  ...CLUSTER_FAULTS,
  ...DIALING_FAULTS,
  ...IDENTITY_FAULTS,
  ...NODE_FAULTS,
  ...ROTATION_FAULTS,
  ...SERVING_FAULTS,
  ...SURROUNDING_FAULTS,
  ...VERSION_FAULTS,
];

/** One of them, by its id. */
export const entryOf = (id: string): FaultEntry =>
  found(
    CATALOGUE.find((entry) => entry.id === id),
    id,
  );
