import { describe } from 'vitest';
import { distributionPath } from '../../../scripts/setup/go-tools.mjs';
import { registryTests } from './distribution-cases.ts';

// Version 3 takes two minutes to build, and as long as the other to test.
describe('distribution 3', () => registryTests(distributionPath()));
