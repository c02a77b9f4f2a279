import { expect, it } from 'vitest';
import { parseChallenges } from '../../../../../src/storage/registry/auth/challenge.ts';

it.each([
  ['Basic realm="x"', [{ scheme: 'basic', parameters: { realm: 'x' } }]],
  ['Basic', [{ scheme: 'basic', parameters: {} }]],
  [
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
    [
      {
        scheme: 'bearer',
        parameters: {
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:a/b:pull,push',
        },
      },
    ],
  ],
  ['bearer REALM=token , service = x', [{ scheme: 'bearer', parameters: { realm: 'token', service: 'x' } }]],
  [
    'Basic realm="a \\"b\\", c", Bearer realm="d"',
    [
      { scheme: 'basic', parameters: { realm: 'a "b", c' } },
      { scheme: 'bearer', parameters: { realm: 'd' } },
    ],
  ],
  [
    'Negotiate, Basic realm="x"',
    [
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'basic', parameters: { realm: 'x' } },
    ],
  ],
  ['', []],
  ['"', []],
  ['Bearer realm="unclosed', [{ scheme: 'bearer', parameters: {} }]],
])('parseChallenges of %s', (header, expected) => {
  expect(parseChallenges(header)).toEqual(expected);
});
