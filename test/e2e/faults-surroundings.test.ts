import { describe } from 'vitest';
import { SURROUNDING_FAULTS } from '../support/fault-catalogue-surroundings.ts';
import { faultScenarios } from '../support/fault-scenarios.ts';

describe('what is around the mesh is broken', () => faultScenarios(SURROUNDING_FAULTS));
