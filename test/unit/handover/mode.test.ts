import { describe, expect, test } from 'vitest';
import { chooseMode, type ModeFacts } from '../../../src/handover/mode.ts';

const facts = (change: Partial<ModeFacts>): ModeFacts => ({
  asked: 'auto',
  hasDestination: true,
  hasCredentials: true,
  isFork: false,
  isMergeQueue: false,
  ...change,
});

describe('chooseMode', () => {
  test.each<[Partial<ModeFacts>, string]>([
    [{}, 'registry'],
    [{ hasCredentials: false }, 'artifact'],
    [{ hasDestination: false, hasCredentials: false }, 'artifact'],
    [{ isFork: true }, 'report'],
    [{ asked: 'none', isFork: true }, 'none'],
    [{ asked: 'report' }, 'report'],
    [{ isMergeQueue: true }, 'none'],
    [{ asked: 'artifact' }, 'artifact'],
    [{ asked: 'artifact', isFork: true }, 'artifact'],
    [{ asked: 'none' }, 'none'],
    // Without credentials the registry itself decides.
    [{ asked: 'registry', hasCredentials: false }, 'registry'],
  ])('%o: %s', (change, mode) => {
    expect(chooseMode(facts(change)).mode).toBe(mode);
  });

  test.each<[Partial<ModeFacts>, RegExp]>([
    [{ asked: 'registry', hasDestination: false }, /`to` names none/],
    [{ asked: 'registry', isFork: true }, /fork/],
  ])('refuses %o', (change, message) => {
    expect(() => chooseMode(facts(change))).toThrow(message);
  });
});
