import { expect, test } from 'vitest';
import { type Marker, markerLine } from '../../../src/preview/marker.ts';
import { type CommentPlace, type PreviewComment, putSticky } from '../../../src/preview/sticky.ts';

const BOT = 'github-actions[bot]';
const MARKER: Marker = { key: 'k', run: '77', attempt: 1, state: 'there', images: [] };

interface Scene extends CommentPlace {
  readonly all: PreviewComment[];
}

/** The comments of a pull request; `before` is called before each request, where another run may do something. */
const comments = (
  first: readonly PreviewComment[] = [],
  before: (what: string) => Promise<void> = async () => {},
): Scene => {
  const all = [...first];
  const at = (id: number) => all.findIndex((one) => one.id === id);
  return {
    all,
    list: async () => {
      await before('list');
      return [...all];
    },
    create: async (body) => {
      await before('create');
      const made = { id: (all.at(-1)?.id ?? 0) + 1, author: BOT, body };
      all.push(made);
      return made;
    },
    update: async (id, body) => {
      await before('update');
      const found = all[at(id)];
      if (found) all[at(id)] = { ...found, body };
      return found !== undefined;
    },
    remove: async (id) => {
      await before('remove');
      if (at(id) >= 0) all.splice(at(id), 1);
    },
  };
};

/** As long as other runs take from reading to writing. */
const sleep = async (): Promise<void> => {
  for (let left = 40; left > 0; left -= 1) await Promise.resolve();
};

const put = (place: CommentPlace, run: string, author = BOT, more: Partial<Marker> = {}) =>
  putSticky(place, { marker: { ...MARKER, run, ...more }, text: `text of ${run}`, author }, { sleep });

const written = (run: string, more: Partial<Marker> = {}): string =>
  `${markerLine({ ...MARKER, run, ...more })}\ntext of ${run}`;

const comment = (id: number, body: string, author = BOT): PreviewComment => ({ id, author, body });

test('is made once, and updated in place', async () => {
  const place = comments([comment(3, 'a person says something', 'somebody')]);
  expect(await put(place, '77')).toEqual({ kind: 'created', id: 4, author: BOT });
  expect(await put(place, '78')).toEqual({ kind: 'updated', id: 4, author: BOT });
  expect(await put(place, '78')).toEqual({ kind: 'unchanged', id: 4, author: BOT });
  expect(place.all.map(({ body }) => body)).toEqual(['a person says something', written('78')]);
});

test('an older run, and an older attempt, never overwrite a newer text', async () => {
  const place = comments([comment(1, written('78', { attempt: 2 }))]);
  expect((await put(place, '77')).kind).toBe('newer');
  expect((await put(place, '78')).kind).toBe('newer');
  expect(place.all.map(({ body }) => body)).toEqual([written('78', { attempt: 2 })]);
});

test("a stranger's copy of the marker, and the comment of another workflow, are left alone", async () => {
  const others = [comment(1, written('99'), 'stranger'), comment(2, written('99', { key: 'other' }))];
  const place = comments(others);
  expect(await put(place, '77')).toEqual({ kind: 'created', id: 3, author: BOT });
  expect(place.all).toEqual([...others, comment(3, written('77'))]);
});

test('of several the oldest gets the text, and the rest goes', async () => {
  const place = comments([comment(1, written('75')), comment(2, 'x', 'somebody'), comment(3, written('76'))]);
  expect((await put(place, '77')).id).toBe(1);
  expect(place.all).toEqual([comment(1, written('77')), comment(2, 'x', 'somebody')]);
});

test('a token of an App has another name: what it writes is known from then on, and its older comment is found', async () => {
  const place = comments([comment(1, written('76'))]);
  expect(await put(place, '77', 'not-yet-known')).toEqual({ kind: 'created', id: 1, author: BOT });
  expect(place.all).toEqual([comment(1, written('77'))]);
});

test('a comment that is deleted meanwhile is made anew', async () => {
  let isDeleted = false;
  const place = comments([comment(1, written('76'))], async (what) => {
    if (what === 'update' && !isDeleted) {
      isDeleted = true;
      place.all.length = 0;
    }
  });
  expect((await put(place, '77')).kind).toBe('created');
  expect(place.all.map(({ body }) => body)).toEqual([written('77')]);
});

test('in 500 interleavings of three runs one comment is left, and its text is of the newest', async () => {
  for (let seed = 1; seed <= 500; seed += 1) {
    let state = seed;
    const random = (): number => {
      state = (state * 1103515245 + 12345) % 2 ** 31;
      return state / 2 ** 31;
    };
    // Each request waits some turns of the event loop, so that those of the runs mix in an order of their own.
    const turns = async (): Promise<void> => {
      for (let left = Math.floor(random() * 6); left > 0; left -= 1) await Promise.resolve();
    };
    const place = comments(seed % 3 === 0 ? [comment(1, written('70'))] : [], turns);
    await Promise.all(['77', '78', '79'].map((run) => put(place, run)));
    expect(
      place.all.map(({ body }) => body),
      `seed ${seed}`,
    ).toEqual([written('79')]);
  }
});
