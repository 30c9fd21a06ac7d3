import { describe } from 'vitest';
import { SERVING_FAULTS } from '../support/fault-catalogue-serving.ts';
import { faultScenarios } from '../support/fault-scenarios.ts';

describe('the clustermesh-apiserver, or the Service that leads to it, is broken', () => faultScenarios(SERVING_FAULTS));
