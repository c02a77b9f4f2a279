import { expect, test } from 'vitest';
import { withoutActions } from '../../../src/nix/realise.ts';

test('what a builder tells Nix alone is no part of its log', () => {
  const lines = ['unpacking', '@nix { "action": "setPhase", "phase": "buildPhase" }', '@nix {"action":"x"}', '@nixos'];
  expect(withoutActions(lines)).toEqual(['unpacking', '@nixos']);
});
