import { describe } from 'vitest';
import { AUTHORITY_FAULTS, CLUSTER_FAULTS } from '../support/fault-catalogue-clusters.ts';
import { ROTATION_FAULTS } from '../support/fault-catalogue-rotations.ts';
import { faultScenarios } from '../support/fault-scenarios.ts';

describe('the CA, or something around the mesh, is broken', () =>
  faultScenarios([...AUTHORITY_FAULTS, ...CLUSTER_FAULTS, ...ROTATION_FAULTS]));
