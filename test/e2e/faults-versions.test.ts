import { describe } from 'vitest';
import { VERSION_FAULTS } from '../support/fault-catalogue-versions.ts';
import { faultScenarios } from '../support/fault-scenarios.ts';

describe('what runs is not what is written', () => faultScenarios(VERSION_FAULTS));
