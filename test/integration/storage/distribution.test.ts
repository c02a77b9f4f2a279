import { describe } from 'vitest';
import { registryTests } from './distribution-cases.ts';

describe('Debian’s docker-registry', () => registryTests());
