import { readFile, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { decodeJson } from '../core/decode-json.ts';
import { UserError } from '../core/error.ts';
import { withFileErrors } from '../core/file-error.ts';

// Limits are those of the services' models (ECR 2015-09-21, ECR Public 2020-10-30).
const DESCRIPTION_LIMIT = 1024;
const TEXT_LIMIT = 25_600;
const NAMES_LIMIT = 50;
const LOGO_LIMIT = 512_000;
/** How a PNG file begins (its specification, "PNG signature"). */
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const POLICY = { min: 100, max: 30_720 } as const;
const EXCEPTIONS_LIMIT = 5;

const names = z.array(z.string().min(1).max(NAMES_LIMIT)).max(NAMES_LIMIT);
/** A text, or the file that holds it. */
const content = z.union([z.string(), z.strictObject({ file: z.string().min(1) })]);

const exceptions = z
  .array(z.string().regex(/^[0-9a-zA-Z._*-]{1,128}$/, 'a tag, in which * stands for any characters'))
  .min(1)
  .max(EXCEPTIONS_LIMIT);

const settingsSchema = z.strictObject({
  /** ECR: whether tags never move, and which do all the same. */
  immutableTags: z.union([z.boolean(), z.strictObject({ except: exceptions })]).optional(),
  scanOnPush: z.boolean().optional(),
  /** Fixed when the repository is made. */
  encryption: z
    .strictObject({ type: z.enum(['AES256', 'KMS', 'KMS_DSSE']), key: z.string().min(1).max(2048).optional() })
    .optional(),
  lifecyclePolicy: z.strictObject({ rules: z.array(z.looseObject({ rulePriority: z.int() })).min(1) }).optional(),
  /** ECR Public: what its gallery shows. */
  description: z.string().max(DESCRIPTION_LIMIT).optional(),
  about: content.optional(),
  usage: content.optional(),
  /** A PNG file. */
  logo: z.string().min(1).optional(),
  architectures: names.optional(),
  operatingSystems: names.optional(),
  /** Whether the page shows what the image says, of all that is left out here. */
  fromImage: z.boolean().default(true),
});

/** What a gallery shows of a repository of ECR Public. */
export interface Catalogue {
  readonly description?: string | undefined;
  readonly aboutText?: string | undefined;
  readonly usageText?: string | undefined;
  readonly logoImageBlob?: Uint8Array | undefined;
  readonly architectures?: string[] | undefined;
  readonly operatingSystems?: string[] | undefined;
}

/** How a repository is set up; what is left out stays as it is. */
export interface RepositorySettings
  extends Pick<z.infer<typeof settingsSchema>, 'immutableTags' | 'scanOnPush' | 'encryption' | 'fromImage'> {
  /** The JSON that ECR takes. */
  readonly lifecyclePolicy: string | undefined;
  readonly catalogue: Catalogue;
}

/**
 * Reads settings for a repository: JSON, or the file that holds it, from `cwd`; the files that it names are meant from its
 * folder, and `{name}` in them is `name`. Throws UserError `input` that names place and field, and `file` for what cannot be read.
 */
export async function readRepositorySettings(given: string, cwd: string, name: string): Promise<RepositorySettings> {
  const file = given.trimStart().startsWith('{') ? undefined : resolve(cwd, given);
  const text = file === undefined ? given : await withFileErrors(file, 'read', () => readFile(file, 'utf8'));
  const place = file === undefined ? 'repository-settings' : `repository-settings: ${file}`;
  const settings = decodeJson(text, settingsSchema, {
    code: 'input',
    what: place,
    hint: 'Correct the field; each is listed with its values below "Amazon ECR".',
    docs: 'registries.md#amazon-ecr',
  });
  return settingsOf(settings, place, folderOf(file === undefined ? cwd : dirname(file), name));
}

/** Finds a file that settings name. */
type Find = (path: string) => string;

const folderOf =
  (folder: string, name: string): Find =>
  (path) =>
    resolve(folder, path.replaceAll('{name}', name));

async function settingsOf(
  given: z.infer<typeof settingsSchema>,
  place: string,
  find: Find,
): Promise<RepositorySettings> {
  const { immutableTags, scanOnPush, encryption, lifecyclePolicy, fromImage } = given;
  const { description, architectures, operatingSystems } = given;
  return {
    immutableTags,
    scanOnPush,
    encryption,
    fromImage,
    lifecyclePolicy: lifecyclePolicy && policyText(lifecyclePolicy, place),
    catalogue: {
      description,
      architectures,
      operatingSystems,
      aboutText: await textOf(given.about, 'about', place, find),
      usageText: await textOf(given.usage, 'usage', place, find),
      logoImageBlob: given.logo === undefined ? undefined : await logoOf(find(given.logo)),
    },
  };
}

const tooLong = (what: string, limit: number, unit: string): UserError =>
  new UserError('input', `${what} is longer than ${limit} ${unit}`, { hint: 'ECR Public takes no more. Shorten it.' });

async function textOf(
  given: z.infer<typeof content> | undefined,
  field: string,
  place: string,
  find: Find,
): Promise<string | undefined> {
  if (given === undefined) return undefined;
  const file = typeof given === 'string' ? undefined : find(given.file);
  const text = file === undefined ? String(given) : await withFileErrors(file, 'read', () => readFile(file, 'utf8'));
  if (text.length > TEXT_LIMIT) throw tooLong(`${file ?? place} (${field})`, TEXT_LIMIT, 'characters');
  return text;
}

async function logoOf(file: string): Promise<Uint8Array> {
  const { size } = await withFileErrors(file, 'read', () => stat(file));
  if (size > LOGO_LIMIT) throw tooLong(`${file} (logo)`, LOGO_LIMIT, 'bytes');
  const bytes = await withFileErrors(file, 'read', () => readFile(file));
  if (PNG.equals(bytes.subarray(0, PNG.length))) return bytes;
  throw new UserError('input', `${file} (logo) is not a PNG file`, { hint: 'ECR Public shows logos in PNG.' });
}

function policyText(policy: object, place: string): string {
  const text = JSON.stringify(policy);
  if (text.length >= POLICY.min && text.length <= POLICY.max) return text;
  throw new UserError('input', `${place}: lifecyclePolicy has ${text.length} characters`, {
    hint: `ECR takes ${POLICY.min} to ${POLICY.max} of them.`,
  });
}
