import { describe, expect, test } from 'vitest';
import { formatRecord } from '../../../../src/definition/base-record.ts';
import { baseFacts, storeOverBase } from '../../../../src/image/from-definition/base-facts.ts';
import { storeLayerEntries } from '../../../../src/layer/entries.ts';
import type { TarEntry } from '../../../../src/tar/entry.ts';
import { memoryLog } from '../../../support/memory-log.ts';
import { baseImage, file, folder, tarOf } from '../base-kit.ts';

const { signal } = new AbortController();
const log = memoryLog();
const over = (...entries: TarEntry[]) => baseImage([tarOf(entries)]);

describe('facts about a base', () => {
  test('are read once, and not where they are remembered', async () => {
    const base = over(folder('tmp', 0o1777));
    const first = baseFacts(base, [], log, signal);
    const { answer, record } = await first.ask((view) => [view.node('tmp')?.type, view.node('x')]);
    expect(answer).toEqual(['directory', undefined]);
    await first.ask((view) => view.node('else'));
    expect(base.reads()).toBe(1);

    const later = baseFacts(base, [record], log, signal);
    const again = await later.ask((view) => view.node('tmp')?.type);
    expect([again.answer, base.reads()]).toEqual(['directory', 1]);
    // Only what this question wanted to know.
    expect([...again.record.nodes.keys()]).toEqual(['tmp']);
    await later.ask((view) => view.node('else'));
    expect(base.reads()).toBe(2);
    expect(formatRecord(record)).toBe(
      formatRecord((await later.ask((view) => [view.node('x'), view.node('tmp')])).record),
    );
  });

  test('of another base are not believed', async () => {
    const { record } = await baseFacts(over(folder('tmp', 0o1777)), [], log, signal).ask((view) => view.node('tmp'));
    const base = over(folder('tmp', 0o700));
    const { answer } = await baseFacts(base, [record], log, signal).ask((view) => view.node('tmp'));
    expect(answer).toMatchObject({ mode: 0o700 });
  });
});

describe('the directories above store paths', () => {
  const stated = async (base: ReturnType<typeof baseImage>) => {
    const { answer } = await baseFacts(base, [], log, signal).ask(storeOverBase);
    const layer = { kind: 'store', paths: [], storeMode: 0o755, over: answer } as const;
    return [...storeLayerEntries(layer, { read: () => undefined, sameContent: () => false })].map((entry) => [
      entry.path,
      entry.mode.toString(8),
      entry.uid,
      entry.gid,
    ]);
  };
  test("are the base's, where it has them", async () => {
    const builders = { uid: 0, gid: 30000 };
    expect(await stated(over(folder('nix', 0o711), folder('nix/store', 0o1775, builders)))).toEqual([
      ['nix', '711', 0, 0],
      ['nix/store', '1775', 0, 30000],
    ]);
  });
  test.each([[[]], [[folder('nix')]]])('are as ever where it has none', async (entries) => {
    expect(await stated(over(...entries))).toEqual([
      ['nix', '755', 0, 0],
      ['nix/store', '755', 0, 0],
    ]);
  });
  test('cannot be a file', async () => {
    await expect(stated(over(file('nix', '')))).rejects.toThrow('/nix is a file in fromImage docker://host/base');
  });
});
