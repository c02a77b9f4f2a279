import { createHash } from 'node:crypto';
import { UserError } from '../core/error.ts';
import type { StorePathInfo } from '../definition/closure.ts';
import { nixMessage } from './failure.ts';
import type { Nix } from './nix.ts';
import { withoutSecrets } from './settings.ts';
import { createUnpacker } from './unpack-nar.ts';

/**
 * Unpacks one store path of a store or cache as `target`, without what it refers to and without putting it into the
 * store of this machine. Believes nothing but `info`: more bytes than its narSize are not read, and what has not its
 * narHash is refused. Gives false when nix could not send it; `target` may be half there then, as after an error.
 * Throws UserError `digest` for other bytes than promised and `file` when the disk refuses.
 */
export async function fetchNar(nix: Nix, url: string, info: StorePathInfo, target: string): Promise<boolean> {
  const { path, narHash, narSize } = info;
  const refused = (why: string): UserError =>
    new UserError('digest', `${path} from ${withoutSecrets(url)} does not match its narinfo: ${why}`, {
      hint: 'The cache is damaged. Remove it from the substituters, or build the path and copy it there again.',
    });
  const unpacker = createUnpacker(target);
  const hash = createHash('sha256');
  let size = 0;
  const onStdout = async (stdout: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const chunk of stdout) {
      size += chunk.length;
      if (size > narSize) throw refused(`more than ${narSize} bytes`);
      hash.update(chunk);
      unpacker.push(chunk);
    }
  };
  try {
    // Without the option a path that the cache does not have after all would be looked for in every other one.
    const args = ['store', 'dump-path', '--option', 'substitute', 'false', '--store', url, path];
    const { exitCode, stderr } = await nix.command(args, { onStdout });
    if (exitCode !== 0) {
      nix.log.debug(`${path} cannot be read from ${withoutSecrets(url)}: ${nixMessage(stderr)}`);
      return false;
    }
    unpacker.end();
  } catch (error) {
    if (error instanceof UserError && error.code === 'digest' && !error.message.startsWith(path))
      throw refused(error.message);
    throw error;
  } finally {
    unpacker.close();
  }
  const found = `sha256-${hash.digest('base64')}`;
  if (size !== narSize) throw refused(`${size} bytes instead of ${narSize}`);
  if (found !== narHash) throw refused(`its NAR has the hash ${found} instead of ${narHash}`);
  return true;
}
