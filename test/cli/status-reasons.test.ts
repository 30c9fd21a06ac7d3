import { reasonScenarios } from '../support/reason-scenarios.ts';

reasonScenarios({ kvstoremesh: true });
