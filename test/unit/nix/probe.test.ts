import { expect, test } from 'vitest';
import { functionArguments } from '../../../src/nix/probe.ts';

test.each([
  [[], '{  }'],
  [['--override-input', 'nixpkgs', 'path:/x'], '{  }'],
  [['--argstr', 'rev', 'a "b" $c'], '{ "rev" = "a \\"b\\" \\$c"; }'],
  [['--arg', 'n', '1 + 1', '--argstr', 's', 'x'], '{ "n" = (1 + 1\n); "s" = "x"; }'],
  [['--argstr', 'cut'], '{  }'],
])('functionArguments of %j', (nixArgs, expected) => {
  expect(functionArguments(nixArgs)).toBe(expected);
});
