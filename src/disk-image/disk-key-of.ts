import { diskKey } from '../definition/disk-key.ts';
import { toolImageKey } from '../definition/image-key.ts';
import type { EvaluatedDisk } from '../nix/found-image.ts';

/** What names a disk's content, as `plan` has it. */
export const diskKeyOf = (evaluated: EvaluatedDisk): string =>
  evaluated.kind === 'disk' ? diskKey(evaluated.disk) : toolImageKey(evaluated.toolDisk, evaluated.system);
