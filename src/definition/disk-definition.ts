import { z } from 'zod';
import { bootFileOf } from '../oci/efi.ts';
import { systemSchema } from '../oci/system.ts';
import {
  annotationsSchema,
  buildSystemSchema,
  imageNameSchema,
  rootSchema,
  SCHEMA_VERSION,
  tagSchema,
} from './definition.ts';
import { diskTestsSchema } from './disk-tests.ts';
import { storePathOf } from './store-path.ts';
import { belowStorePathSchema, storePathSchema } from './store-path-schema.ts';

/**
 * The definition of a disk: what `mkDisk` in `nix/lib` evaluates to. The disk that the engine makes of it has a GPT and three
 * partitions in this order: EFI system partition, store (EROFS, what is in it is /nix/store), root (ext4, empty).
 */

/** EROFS keeps 15 bytes of a label, ext4 16, and GPT 36 characters; udev writes others than these escaped. */
const labelSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{0,14}$/, 'expected a label: at most 15 letters, digits, _ . -');

/** One line, as firmware and kernel take it. */
const cmdlineSchema = z.string().regex(/^[^\p{Cc}]*$/u, 'expected one line without control characters');

/** A path on the EFI system partition: names that FAT and firmware write as they are. */
const espPathSchema = z
  .string()
  .regex(
    /^(?:\/[A-Za-z0-9_+=@~.-]{0,254}[A-Za-z0-9_+=@~-])+$/,
    'expected a path such as /loader/loader.conf: letters, digits, _ + = @ ~ . - in each name, which does not end in a period',
  );

const espFileSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string() }),
  z.strictObject({ type: z.literal('source'), source: belowStorePathSchema }),
]);

const bootSchema = z
  .discriminatedUnion('loader', [
    z.strictObject({
      loader: z.literal('uki').describe('A unified kernel image, which firmware starts itself.'),
      kernel: belowStorePathSchema,
      initrd: belowStorePathSchema.nullable().default(null),
      cmdline: cmdlineSchema.describe('The command line of the kernel.'),
      verityArgument: z
        .enum(['usrhash', 'storehash'])
        .default('usrhash')
        .describe("What the root hash of verity is called there: systemd's usrhash, or NixOS's storehash."),
      osRelease: z.string().describe('The text of os-release(5).'),
      uname: z.string().min(1).nullable().default(null).describe('Release of the kernel. Default: read from it.'),
      stub: belowStorePathSchema.describe("systemd's stub for the system's architecture, such as linuxx64.efi.stub."),
    }),
    z.strictObject({
      loader: z.literal('files').describe('What stands in espFiles, /EFI/BOOT/BOOTX64.EFI or BOOTAA64.EFI first.'),
    }),
  ])
  .describe('How the disk boots, by UEFI.');

/** FAT32 needs 65,525 clusters, which are 512 bytes at least: 32 MiB and the tables. */
const LEAST_ESP = 34;

/** An ext4 of less has no room for the journal and the tables with which it grows. */
const LEAST_ROOT = 64;

/** A terabyte, in MiB: sizes beyond are typing errors. */
const MOST_MIB = 1024 * 1024;

const partitionsSchema = z
  .strictObject({
    esp: z.strictObject({ sizeMiB: z.int().min(LEAST_ESP).max(4096).default(128) }).prefault({}),
    store: z
      .strictObject({
        label: labelSchema.default('nix-store').describe('Name of the partition, and of its file system.'),
        sizeMiB: z.int().min(1).max(MOST_MIB).nullable().default(null).describe('Default: by windowPercent.'),
        windowPercent: z
          .int()
          .min(100)
          .max(1000)
          .default(150)
          .describe('Size in percent of what is in it: the room in which paths that change find a place.'),
      })
      .prefault({}),
    root: z
      .strictObject({
        label: labelSchema.default('nixos').describe('Name of the partition, and of its file system.'),
        sizeMiB: z.int().min(LEAST_ROOT).max(MOST_MIB).default(256).describe('Its size until the system enlarges it.'),
      })
      .prefault({}),
  })
  .refine(({ store, root }) => store.label !== root.label, 'store and root need different labels');

const toolsSchema = z
  .strictObject({
    mkfsVfat: belowStorePathSchema,
    mtools: belowStorePathSchema.describe('The program that is called as mtools -c COMMAND.'),
    mkfsExt4: belowStorePathSchema,
    ukify: belowStorePathSchema.nullable().default(null),
  })
  .describe('Programs that write parts of the disk, of the system that builds it: they decide over its bytes.');

const fieldsSchema = z.strictObject({
  schemaVersion: z.literal(SCHEMA_VERSION),
  kind: z.literal('disk'),
  name: imageNameSchema.describe('Repository name of the disk. UUIDs follow from it and the system.'),
  tag: tagSchema.nullable().default(null),
  system: systemSchema.describe('System that the disk boots.'),
  buildSystem: buildSystemSchema,
  roots: z.array(rootSchema),
  storeRoots: z
    .array(storePathSchema)
    .min(1)
    .describe('Store paths whose closure is in the store partition; other roots are only needed to make the disk.'),
  boot: bootSchema,
  espFiles: z
    .record(espPathSchema, espFileSchema)
    .default({})
    .describe('Files of the EFI system partition, beside the unified kernel image.'),
  partitions: partitionsSchema.prefault({}),
  sizeGiB: z
    .int()
    .min(1)
    .max(65_536)
    .nullable()
    .default(null)
    .describe('Size of the disk. Default: the least number of whole GiB into which it fits.'),
  verity: z
    .boolean()
    .default(false)
    .describe(
      'Whether dm-verity guards the store, with the root hash in the command line of the unified kernel image.',
    ),
  registration: z
    .boolean()
    .default(true)
    .describe("Whether the store has /nix/store/nix-path-registration, from which Nix's database is loaded."),
  bootMode: z.literal('uefi').default('uefi'),
  tools: toolsSchema,
  annotations: annotationsSchema,
  tests: diskTestsSchema.default({}),
});

export const diskDefinitionSchema = fieldsSchema
  .superRefine((disk, context) => {
    for (const { path, message } of problemsOf(disk)) context.addIssue({ code: 'custom', path: [...path], message });
  })
  .describe('A disk definition, as mkDisk evaluates to it.');

export type DiskDefinition = z.infer<typeof diskDefinitionSchema>;

type Fields = z.infer<typeof fieldsSchema>;

interface Problem {
  readonly path: readonly string[];
  readonly message: string;
}

/** What the fields of a disk say that cannot be, taken together. */
function problemsOf(disk: Fields): Problem[] {
  const { boot, tools } = disk;
  const bootFile = bootFileOf(disk.system);
  // FAT knows no difference between upper and lower case.
  const names = Object.keys(disk.espFiles);
  const states = names.some((name) => name.toUpperCase() === bootFile);
  const problems: Problem[] = [...doubledNames(names), ...pathsWithoutRoot(disk)];
  if (boot.loader === 'uki' && states)
    problems.push({ path: ['espFiles'], message: `${bootFile} is the unified kernel image: use the loader files` });
  if (boot.loader === 'files' && !states)
    problems.push({ path: ['espFiles'], message: `the loader files needs ${bootFile}, which firmware starts` });
  if (boot.loader === 'uki' && tools.ukify === null)
    problems.push({ path: ['tools', 'ukify'], message: 'a unified kernel image needs ukify' });
  if (boot.loader === 'files' && disk.verity)
    problems.push({ path: ['verity'], message: 'the root hash is in a unified kernel image: use the loader uki' });
  return problems;
}

function doubledNames(names: readonly string[]): Problem[] {
  const seen = new Map<string, string>();
  return names.flatMap((name): Problem[] => {
    const same = seen.get(name.toUpperCase());
    seen.set(name.toUpperCase(), name);
    return same === undefined ? [] : [{ path: ['espFiles'], message: `${same} and ${name} are one file on FAT` }];
  });
}

/** Only roots are built, so whatever else is named belongs to one. */
function pathsWithoutRoot({ roots, storeRoots, boot, espFiles, tools }: Fields): Problem[] {
  const known = new Set(roots.map(({ outPath }) => outPath));
  const parts = boot.loader === 'uki' ? { kernel: boot.kernel, initrd: boot.initrd, stub: boot.stub } : {};
  const sources = Object.entries(espFiles).map(
    ([name, file]) => [name, 'source' in file ? file.source : null] as const,
  );
  const named: Record<string, Readonly<Record<string, string | null>>> = {
    storeRoots: Object.fromEntries(storeRoots.entries()),
    boot: parts,
    tools,
    espFiles: Object.fromEntries(sources),
  };
  return Object.entries(named).flatMap(([field, paths]) =>
    Object.entries(paths).flatMap(([name, path]): Problem[] =>
      path === null || known.has(storePathOf(path))
        ? []
        : [{ path: [field, name], message: `${path} is in none of the roots` }],
    ),
  );
}
