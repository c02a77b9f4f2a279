import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Effects } from '../core/effects.ts';
import { withFileErrors } from '../core/file-error.ts';
import type { DiskDefinition } from '../definition/disk-definition.ts';
import { diskUuid } from './disk-uuid.ts';
import { runTool } from './run-tool.ts';

interface RootInput {
  readonly definition: DiskDefinition;
  /** Bytes of the partition. */
  readonly bytes: number;
  readonly folder: string;
}

const BLOCK = 4096;
const MIB = 1 << 20;

/** Bytes of data an inode is there for: mke2fs' own for file systems of this kind. */
const INODE_RATIO = 16_384;

/** The journal does not grow with the file system, so it is larger than mke2fs would make it for one that is still small. */
const journalMiB = (bytes: number): number => Math.min(64, Math.floor(bytes / MIB / 8));

/**
 * Says all that would come from /etc/mke2fs.conf, or from the release of mke2fs: what kernels from 5.10 on mount, and what grows while it is
 * mounted (resize_inode, for which room is reserved). The last four are types by size, which change nothing here.
 */
const CONFIGURATION = `[defaults]
  base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
  default_mntopts = acl,user_xattr
  enable_periodic_fsck = 0
  blocksize = ${BLOCK}
  inode_size = 256
  inode_ratio = ${INODE_RATIO}

[fs_types]
  ext4 = {
    features = has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize
  }
  floppy = {
  }
  small = {
  }
  big = {
  }
  huge = {
  }
`;

/**
 * Makes an empty ext4 of the partition's size, and gives its file, which is almost all holes: inode tables and journal are left to be
 * initialised where zeros are (lazy). UUID and hash seed follow from the disk's name. Throws UserError `build`.
 */
export async function makeEmptyRoot(exec: Effects['exec'], { definition, bytes, folder }: RootInput): Promise<string> {
  const image = join(folder, 'root.img');
  const configuration = join(folder, 'mke2fs.conf');
  await withFileErrors(folder, 'write', async () => {
    await writeFile(configuration, CONFIGURATION);
    await writeFile(image, '');
    await truncate(image, bytes);
  });
  const extended = [
    `hash_seed=${diskUuid(definition, 'root-hash-seed')}`,
    'lazy_itable_init=1',
    'lazy_journal_init=1',
    'nodiscard',
    'root_owner=0:0',
  ];
  const args = [
    ...['-F', '-q', '-b', `${BLOCK}`, '-m', '1', '-o', 'Linux'],
    ...['-L', definition.partitions.root.label, '-U', diskUuid(definition, 'root-fs')],
    ...['-J', `size=${journalMiB(bytes)}`, '-E', extended.join(','), image],
  ];
  const env = { MKE2FS_CONFIG: configuration };
  await runTool(exec, { program: definition.tools.mkfsExt4, args, makes: 'the root file system', env });
  return image;
}
