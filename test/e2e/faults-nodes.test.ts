import { describe } from 'vitest';
import { IDENTITY_FAULTS } from '../support/fault-catalogue-identities.ts';
import { NODE_FAULTS } from '../support/fault-catalogue-nodes.ts';
import { faultScenarios } from '../support/fault-scenarios.ts';

describe('who clusters are, or where they run, is broken', () => faultScenarios([...IDENTITY_FAULTS, ...NODE_FAULTS]));
