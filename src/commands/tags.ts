import { readFile } from 'node:fs/promises';
import { readEvent } from '../github/event.ts';
import type { Host } from '../host/host.ts';
import { type TagLine, tagsOf } from '../publish/tag-rules.ts';

/**
 * The tags that the lines of an input mean in this run; undefined where none were asked for. The event is read only where a
 * rule needs it. Throws UserError as `tagsOf` and `readEvent` do.
 */
export async function tagsOfRun(lines: readonly TagLine[], host: Host): Promise<string[] | undefined> {
  if (lines.length === 0) return undefined;
  const hasRule = lines.some(({ kind }) => kind === 'rule');
  if (!hasRule || host.kind !== 'runner') return tagsOf(lines, undefined);
  const event = await readEvent({ env: host.env, readFile: (path) => readFile(path, 'utf8') });
  return tagsOf(lines, { event, now: new Date() });
}
