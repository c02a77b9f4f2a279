import type { Subject } from './subject.ts';

/** `crane push` of the archive that dockerTools makes. */
export const crane = (program: string, version: string): Subject => ({
  name: `crane ${version}, archive, gzip`,
  kind: 'peer',
  codec: 'gzip',
  version: `crane ${version}`,
  once: true,
  cases: ['cold', 'unchanged'],
  input: 'archive',
  commands: ({ inputs, reference }) => [{ program, args: ['push', '--insecure', inputs.archive, reference] }],
});
