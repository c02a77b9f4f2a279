import { createHash } from 'node:crypto';
import { UserError } from '../core/error.ts';
import type { StorePathInfo } from '../definition/closure.ts';

/** The NAR as it comes; ends with UserError `digest` when it is not the one that is promised. */
export async function* checkedNar(
  { path, narHash, narSize }: Pick<StorePathInfo, 'path' | 'narHash' | 'narSize'>,
  nar: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of nar) {
    size += chunk.length;
    if (size > narSize) throw new UserError('digest', `the NAR of ${path} has more than its ${narSize} bytes`);
    hash.update(chunk);
    yield chunk;
  }
  if (size !== narSize) throw new UserError('digest', `the NAR of ${path} has ${size} bytes instead of ${narSize}`);
  const found = `sha256-${hash.digest('base64')}`;
  if (found !== narHash)
    throw new UserError('digest', `the NAR of ${path} has the hash ${found} instead of ${narHash}`);
}
