import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { versionIn } from './subjects/newer-skopeo.ts';
import type { Subject } from './subjects/subject.ts';

const run = promisify(execFile);

/** Programs beside the subjects whose version matters. */
const PROGRAMS = {
  nix: ['nix', '--version'],
  'docker-registry': ['docker-registry', '--version'],
  'GNU tar': ['tar', '--version'],
  igzip: ['igzip', '--version'],
  pigz: ['pigz', '--version'],
  zstd: ['zstd', '--version'],
} as const;

/** Every program that takes part, by name; those that take part in several versions have all of them. */
export async function versionsOf(subjects: readonly Subject[]): Promise<Record<string, string>> {
  const found: Record<string, string> = { node: process.versions.node };
  for (const [name, [program, ...args]] of Object.entries(PROGRAMS)) {
    const answer = await run(program, args).catch(() => undefined);
    if (answer) found[name] = versionIn(answer.stdout + answer.stderr);
  }
  for (const { version } of subjects) {
    const [program = '', number] = version.split(' ');
    if (number !== undefined) found[program] = [...new Set([...listed(found[program]), number])].join(' and ');
  }
  return found;
}

const listed = (text: string | undefined): string[] => text?.split(' and ') ?? [];
