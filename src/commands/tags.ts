import { readFile } from 'node:fs/promises';
import { readEvent } from '../github/event.ts';
import type { Host } from '../host/host.ts';
import { tagsOf } from '../publish/run-tags.ts';
import type { TagLine } from '../publish/tag-lines.ts';
import type { TagFacts } from '../publish/tag-rules.ts';

/** The tags to move, where lines of the input `tags` say which. */
export interface AskedTags {
  /** Whether any image may have one; false where no rule applies to the run. */
  readonly any: boolean;
  /** The tags of an image; none where no rule applies to it. */
  of(image: string): readonly string[];
}

/**
 * The tags that the lines of an input mean in this run, whichever step it is that asks; undefined where none were asked
 * for. The event is read only where a rule needs it. Throws UserError as `tagsOf` and `readEvent` do.
 */
export async function tagsOfRun(lines: readonly TagLine[], host: Host): Promise<AskedTags | undefined> {
  if (lines.length === 0) return undefined;
  const facts = await factsOf(lines, host);
  const warned = new Set<string>();
  const of = (image: string | undefined): readonly string[] => {
    const { tags, skipped } = tagsOf(lines, { ...facts, image });
    for (const { rule, tag } of skipped) {
      if (warned.has(rule)) continue;
      warned.add(rule);
      host.log.warn(`${JSON.stringify(tag)} is not a valid tag: ${rule} is skipped`);
    }
    return tags;
  };
  const isByImage = lines.some((line) => line.kind === 'rule' && /\{\{\s*name\s*\}\}/.test(line.text));
  return { any: isByImage || of(undefined).length > 0, of };
}

async function factsOf(lines: readonly TagLine[], host: Host): Promise<Omit<TagFacts, 'image'>> {
  const mayAsk = lines.some(({ kind }) => kind !== 'tag');
  // A `run:` step has the event as well as an action.
  const isRun = mayAsk && host.env('GITHUB_ACTIONS') === 'true';
  const event = isRun ? await readEvent({ env: host.env, readFile: (path) => readFile(path, 'utf8') }) : undefined;
  return { event, now: new Date() };
}
