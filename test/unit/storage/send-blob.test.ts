import { expect, it } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { type BlobWriter, BrokenUpload, type Repository } from '../../../src/storage/destination.ts';
import { sendBlob } from '../../../src/storage/send-blob.ts';

const BYTES = Buffer.from('abcdef');
const DESCRIPTOR = { mediaType: 'x', digest: digestOf(BYTES), size: BYTES.length };

/** A repository whose uploads break at the calls that `breaks` names, such as `write 2` of upload 0. */
const repositoryOf = (breaks: readonly (readonly string[])[]) => {
  const seen: string[] = [];
  let uploads = 0;
  const open = (): BlobWriter => {
    const plan = breaks[uploads] ?? [];
    uploads += 1;
    let writes = 0;
    let text = '';
    const step = (name: string): void => {
      if (plan.includes(`fails ${name}`)) throw new UserError('registry', 'for good');
      if (plan.includes(name))
        throw new BrokenUpload(new UserError('registry', 'broke'), async () => {
          if (plan.includes('last')) throw new UserError('registry', 'enough');
          return open();
        });
    };
    return {
      write: async (chunk) => {
        writes += 1;
        step(`write ${writes}`);
        text += Buffer.from(chunk).toString();
      },
      commit: async () => {
        step('commit');
        seen.push(text);
      },
      abort: async () => void seen.push('aborted'),
    };
  };
  const repository = { openBlob: async () => open() } as unknown as Repository;
  return { repository, seen };
};

const send = async (...breaks: (readonly (readonly string[])[])[]) => {
  const lanes = breaks.map(repositoryOf);
  let made = 0;
  let committed = 0;
  const result = await sendBlob(
    async (sink) => {
      made += 1;
      for (let at = 0; at < BYTES.length; at += 2) await sink(BYTES.subarray(at, at + 2));
      return DESCRIPTOR;
    },
    lanes.map(({ repository }) => repository),
    async () => {
      committed += 1;
    },
  ).catch((error: Error) => error.message);
  return { result, made, committed, seen: lanes.map(({ seen }) => seen) };
};

it('a blob is made once where nothing breaks', async () => {
  expect(await send([], [])).toEqual({ result: DESCRIPTOR, made: 1, committed: 1, seen: [['abcdef'], ['abcdef']] });
});

it('only the destination whose upload broke gets it again', async () => {
  expect(await send([['write 2'], ['commit']], [])).toEqual({
    result: DESCRIPTOR,
    made: 3,
    committed: 1,
    seen: [['abcdef'], ['abcdef']],
  });
});

it('nothing is made to its end for nobody', async () => {
  const { made, seen } = await send([['write 1'], ['write 3']], [['write 2']]);
  expect([made, seen]).toEqual([3, [['abcdef'], ['abcdef']]]);
});

it('what has arrived is told, though another destination gives up', async () => {
  expect(await send([['write 1', 'last']], [])).toEqual({
    result: 'enough',
    made: 1,
    committed: 1,
    seen: [[], ['abcdef']],
  });
});

it('a failure for good ends all uploads', async () => {
  expect(await send([['fails write 2']], [])).toEqual({
    result: 'for good',
    made: 1,
    committed: 0,
    seen: [['aborted'], ['aborted']],
  });
});

it('a blob that comes out otherwise the second time is no blob', async () => {
  const { repository } = repositoryOf([['commit']]);
  let made = 0;
  const work = sendBlob(async () => {
    made += 1;
    return { ...DESCRIPTOR, digest: digestOf(Buffer.from(String(made))) };
  }, [repository]);
  await expect(work).rejects.toMatchObject({ code: 'digest' });
});
