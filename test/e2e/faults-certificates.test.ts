import { describe } from 'vitest';
import { CERTIFICATE_FAULTS } from '../support/fault-catalogue-certificates.ts';
import { faultScenarios } from '../support/fault-scenarios.ts';

describe('what a cluster proves itself to its peers with, or lets them in by, is broken', () =>
  faultScenarios(CERTIFICATE_FAULTS));
