import { describe } from 'vitest';
import { SERVING_FAULTS } from '../support/fault-catalogue-serving.ts';
import { faultScenarios } from '../support/fault-scenarios.ts';

describe('what a cluster serves its peers with is broken', () => faultScenarios(SERVING_FAULTS));
