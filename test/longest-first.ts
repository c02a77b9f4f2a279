import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { z } from 'zod';

/** Seconds that the slow files took in CI, set-up included, by their path from the root. */
export const SLOW_FILES = join(import.meta.dirname, 'slow-files.json');

export const readSlowFiles = async (): Promise<Readonly<Record<string, number>>> =>
  z.record(z.string(), z.number()).parse(JSON.parse(await readFile(SLOW_FILES, 'utf8')));

/** Sorts by `seconds`, the longest first; what has none follows in the order that it had. */
export const longestFirst = <T>(files: readonly T[], seconds: (file: T) => number | undefined): T[] =>
  files.toSorted((a, b) => (seconds(b) ?? 0) - (seconds(a) ?? 0));

/**
 * Starts the slowest files first, so that none of them is alone at the end. Vitest remembers times too, but on the machine
 * that ran the tests: a fresh checkout has the table alone.
 */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const seconds = await readSlowFiles();
    const pathOf = ({ moduleId, project }: TestSpecification): string => relative(project.config.root, moduleId);
    return longestFirst(await super.sort(files), (file) => seconds[pathOf(file)]);
  }
}
