import { describe } from 'vitest';
import { DIALING_FAULTS } from '../support/fault-catalogue-dialing.ts';
import { faultScenarios } from '../support/fault-scenarios.ts';

describe('what a cluster dials its peer with is broken', () => faultScenarios(DIALING_FAULTS));
