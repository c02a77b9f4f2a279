import { z } from 'zod';
import { createdSchema } from '../core/time.ts';
import { compressionSchema, isZstd } from '../oci/compression.ts';
import { containerConfigSchema } from '../oci/container-config.ts';
import { REPOSITORY_PART } from '../oci/reference.ts';
import { systemSchema } from '../oci/system.ts';
import { absolutePathSchema, modeSchema } from './absolute-path.ts';
import { imageTestsSchema } from './image-tests.ts';
import { belowStorePathSchema, storePathSchema } from './store-path-schema.ts';

/**
 * The image definition: what `mkImage` in `nix/lib` evaluates to and the only thing that crosses from Nix to
 * TypeScript. `npm run generate` writes it as JSON schema to `nix/schema/`.
 */

/** Raised when a field changes its meaning or goes away; the engine refuses versions it does not know. */
export const SCHEMA_VERSION = 1;

/** Layers an overlay file system and every registry accept: the kernel stacks 128, runtimes keep some for themselves. */
export const LAYER_LIMIT = 120;

/** Name of an image: a repository without host (distribution-spec, "Pulling manifests"). */
export const imageNameSchema = z
  .string()
  .regex(
    new RegExp(`^${REPOSITORY_PART}(/${REPOSITORY_PART})*$`),
    'expected a repository name: lower-case letters, digits, and . _ - / between them',
  );

export const tagSchema = z
  .string()
  .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/, 'expected a tag: at most 128 letters, digits, . _ -');

// Go's tar reader, which most clients use, refuses a member whose names hold a zero byte.
const linkTarget = z.string().regex(/^[^\0]+$/, 'expected a path');
const id = z.int().min(0).max(0xffff_fffe);
const accountName = z
  .string()
  .regex(
    /^[a-z_][a-z0-9_-]{0,31}\$?$/,
    'expected a name for /etc/passwd: at most 32 lower-case letters, digits, _ and -, the first a letter or _',
  );
// A colon or line end would end the field or the line of /etc/passwd.
const accountText = z.string().regex(/^[^:\n\0]*$/, 'must not contain a colon or line end');

/** A root of a definition, whatever it describes. */
export const rootSchema = z
  .strictObject({
    drvPath: storePathSchema.endsWith('.drv').nullable(),
    output: z.string().min(1).nullable(),
    outPath: storePathSchema,
  })
  .describe('A store path the image needs, and the derivation output that makes it (null for sources).');

export const buildSystemSchema = z
  .string()
  .nullable()
  .default(null)
  .describe('System that builds these programs: another one where they are cross-compiled.');

export const annotationsSchema = z.record(z.string().min(1), z.string()).default({});

const fileCommon = {
  mode: modeSchema.nullable().default(null).describe('Octal mode; setuid, setgid and sticky bits are allowed here.'),
  uid: id.default(0),
  gid: id.default(0),
};

const capabilities = z
  .string()
  .nullable()
  .default(null)
  .describe('File capabilities in the text form of cap_from_text(3), such as cap_net_raw+ep.');

const fileSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string(), capabilities, ...fileCommon }),
  z.strictObject({ type: z.literal('source'), source: belowStorePathSchema, capabilities, ...fileCommon }),
  z.strictObject({ type: z.literal('directory'), ...fileCommon }),
  z.strictObject({ type: z.literal('symlink'), target: linkTarget, uid: id.default(0), gid: id.default(0) }),
]);

/** The formats of an image: OCI's media types, or Docker's manifest, version 2, schema 2. */
const FORMATS = ['oci', 'docker'] as const;

export const definitionSchema = z
  .strictObject({
    schemaVersion: z.literal(SCHEMA_VERSION),
    kind: z.literal('oci'),
    name: imageNameSchema.describe('Repository name of the image.'),
    tag: tagSchema.nullable().default(null),
    system: systemSchema.nullable().default(null).describe('System whose programs the image holds.'),
    buildSystem: buildSystemSchema,
    roots: z.array(rootSchema),
    copyToRoot: z.array(storePathSchema).default([]).describe('Store paths whose trees are merged into /.'),
    replaceable: z
      .array(storePathSchema)
      .default([])
      .describe('Further store paths for /, whose files those of copyToRoot replace.'),
    rootFiles: z
      .enum(['link', 'copy'])
      .default('link')
      .describe('How the merged root holds files: links into the store, or copies.'),
    config: containerConfigSchema.prefault({}),
    files: z.record(absolutePathSchema, fileSchema).default({}),
    users: z
      .record(
        accountName,
        z.strictObject({ uid: id, gid: id, description: accountText, home: accountText, shell: accountText }),
      )
      .default({}),
    groups: z.record(accountName, z.strictObject({ gid: id, members: z.array(accountName).default([]) })).default({}),
    includeNixDB: z
      .boolean()
      .default(false)
      .describe('Adds the Nix database of the closure, so that nix works inside.'),
    fromImage: z
      .string()
      .min(1)
      .nullable()
      .default(null)
      .describe('Base image: a reference with digest, or an archive in the store.'),
    maxLayers: z.int().min(1).max(LAYER_LIMIT).default(40),
    compression: compressionSchema.prefault('gzip'),
    annotations: annotationsSchema,
    created: createdSchema.nullable().default(null).describe('When the image was made; null for 1970-01-01T00:00:01Z.'),
    format: z.enum(FORMATS).default('oci').describe("Media types of the image: OCI's, or Docker's."),
    tests: imageTestsSchema.default({}),
  })
  .refine(({ format, compression }) => format === 'oci' || !isZstd(compression), {
    path: ['compression'],
    message: 'the format docker has no zstd layers: use gzip, or the format oci',
  })
  .describe('An image definition, as mkImage evaluates to it.');

export type Definition = z.infer<typeof definitionSchema>;
export type DefinitionFile = z.infer<typeof fileSchema>;
export type Root = z.infer<typeof rootSchema>;
