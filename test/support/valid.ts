import { expect } from 'vitest';
import { cranePath, runProgram } from './tools.ts';

/** Fails unless crane finds every manifest, blob, size and digest of an image right; `more` are further options of it. */
export async function expectValid(reference: string, ...more: readonly string[]): Promise<void> {
  const args = ['validate', '--insecure', ...more, '--remote', reference];
  const { exitCode, stdout, stderr } = await runProgram(cranePath(), args);
  expect(stdout, stderr).toMatch(/PASS/);
  expect(exitCode).toBe(0);
}
