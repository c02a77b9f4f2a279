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
  extends Pick<z.infer<typeof settingsSchema>, 'immutableTags' | 'scanOnPush' | 'encryption'> {
  /** The JSON that ECR takes. */
  readonly lifecyclePolicy: string | undefined;
  readonly catalogue: Catalogue;
}

/**
 * Reads settings for repositories: JSON, or the file that holds it, from `cwd`; the files that it names are meant from its
 * folder. Throws UserError `input` that names place and field, and `file` for what cannot be read.
 */
export async function readRepositorySettings(given: string, cwd: string): Promise<RepositorySettings> {
  const file = given.trimStart().startsWith('{') ? undefined : resolve(cwd, given);
  const text = file === undefined ? given : await withFileErrors(file, 'read', () => readFile(file, 'utf8'));
  const place = file === undefined ? 'repository-settings' : `repository-settings: ${file}`;
  const settings = decodeJson(text, settingsSchema, {
    code: 'input',
    what: place,
    hint: 'The fields are listed in docs/registries.md, "Amazon ECR".',
  });
  return settingsOf(settings, place, file === undefined ? cwd : dirname(file));
}

async function settingsOf(
  given: z.infer<typeof settingsSchema>,
  place: string,
  folder: string,
): Promise<RepositorySettings> {
  const { immutableTags, scanOnPush, encryption, lifecyclePolicy, description, architectures, operatingSystems } =
    given;
  return {
    immutableTags,
    scanOnPush,
    encryption,
    lifecyclePolicy: lifecyclePolicy && policyText(lifecyclePolicy, place),
    catalogue: {
      description,
      architectures,
      operatingSystems,
      aboutText: await textOf(given.about, 'about', place, folder),
      usageText: await textOf(given.usage, 'usage', place, folder),
      logoImageBlob: given.logo === undefined ? undefined : await logoOf(resolve(folder, given.logo)),
    },
  };
}

const tooLong = (what: string, limit: number, unit: string): UserError =>
  new UserError('input', `${what} is longer than ${limit} ${unit}`, { hint: 'ECR Public takes no more. Shorten it.' });

async function textOf(
  given: z.infer<typeof content> | undefined,
  field: string,
  place: string,
  folder: string,
): Promise<string | undefined> {
  if (given === undefined) return undefined;
  const file = typeof given === 'string' ? undefined : resolve(folder, given.file);
  const text = file === undefined ? String(given) : await withFileErrors(file, 'read', () => readFile(file, 'utf8'));
  if (text.length > TEXT_LIMIT) throw tooLong(`${file ?? place} (${field})`, TEXT_LIMIT, 'characters');
  return text;
}

async function logoOf(file: string): Promise<Uint8Array> {
  const { size } = await withFileErrors(file, 'read', () => stat(file));
  if (size > LOGO_LIMIT) throw tooLong(`${file} (logo)`, LOGO_LIMIT, 'bytes');
  return withFileErrors(file, 'read', () => readFile(file));
}

function policyText(policy: object, place: string): string {
  const text = JSON.stringify(policy);
  if (text.length >= POLICY.min && text.length <= POLICY.max) return text;
  throw new UserError('input', `${place}: lifecyclePolicy has ${text.length} characters`, {
    hint: `ECR takes ${POLICY.min} to ${POLICY.max} of them.`,
  });
}
