import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parseWanted, type Wanted } from '../ami/wanted.ts';
import { UserError } from '../core/error.ts';
import { withFileErrors } from '../core/file-error.ts';
import { BLOCK_BYTES, diskIdentity } from '../disk/block-list.ts';
import { planBlocks } from '../ebs/block-plan.ts';
import type { InputsOf } from '../host/fields.ts';
import type { Host } from '../host/host.ts';
import type { AmiDisk } from './ami-disk.ts';
import type { DeployAmiInputs } from './ami-inputs.ts';
import type { amiInputs } from './ami-settings.ts';

type AmiSettings = InputsOf<typeof amiInputs> & Pick<DeployAmiInputs, 'upload'>;

const GIB = 1024 ** 3;

/** What is asked for, of these disks. Throws UserError `input` that names every field that is wrong. */
export async function wantedAmis(inputs: AmiSettings, disks: readonly AmiDisk[], host: Host): Promise<Wanted> {
  const { shareWith, uefiData } = inputs;
  const receivers = (kind: (typeof shareWith)[number]['kind']): string[] =>
    shareWith.filter((one) => one.kind === kind).map(({ value }) => value);
  const variables = uefiData === undefined ? undefined : await readVariables(resolve(host.cwd, uefiData));
  return parseWanted({
    disks: disks.map((disk) => ({
      image: disk.image,
      system: disk.system,
      version: versionOf(inputs, disk, host),
      identity: diskIdentity(disk.blocks),
      bytes: Math.ceil(disk.blocks.size / GIB) * GIB,
      dataBytes: planBlocks(disk.blocks, { isEncrypted: false }).send.length * BLOCK_BYTES,
      bootMode: inputs.bootMode ?? disk.bootMode,
      tpm: inputs.tpm,
      ...(variables === undefined ? {} : { uefiData: variables }),
    })),
    regions: { required: inputs.regions, bestEffort: inputs.bestEffortRegions },
    sharing: {
      public: inputs.public,
      accounts: receivers('accounts'),
      organizations: receivers('organizations'),
      units: receivers('units'),
    },
    shareSnapshots: inputs.shareSnapshots,
    kmsKeys: Object.fromEntries(inputs.kmsKeys.map(({ region, key }) => [region, key])),
    parameters: inputs.parameters,
    name: inputs.name,
    description: inputs.description,
    deprecateAfterDays: inputs.deprecateAfter ?? null,
    protection: inputs.protection,
    smokeTest: inputs.smokeTest,
    upload: inputs.upload,
    copyMinutes: inputs.copyMinutes ?? null,
    accounts: inputs.accounts,
    publicQuota: inputs.publicQuota,
  });
}

/** EC2 takes so many characters (RegisterImage, UefiData). */
const LONGEST_VARIABLES = 65_536;

async function readVariables(path: string): Promise<string> {
  const text = await withFileErrors(path, 'read', async () => (await readFile(path, 'utf8')).replace(/\s+/g, ''));
  if (/^(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) && text.length <= LONGEST_VARIABLES)
    return text;
  const what = text.length > LONGEST_VARIABLES ? `has more than ${LONGEST_VARIABLES} characters` : 'is not base64';
  throw new UserError('file', `${path} ${what}, so EC2 would not take it for UEFI's variables`, {
    hint: 'Write it with python-uefivars: `uefivars -i none -o aws -O FILE -P PK.esl -K KEK.esl --db db.esl`',
  });
}

/** Characters of a commit or identity that stand for it. */
const SHORT = 12;

function versionOf({ amiVersion }: AmiSettings, disk: AmiDisk, { env }: Pick<Host, 'env'>): string {
  if (amiVersion !== undefined) return amiVersion;
  if (disk.tag !== undefined && disk.tag !== 'latest') return disk.tag;
  const [tag, commit] = [env('GITHUB_REF_NAME'), env('GITHUB_SHA')];
  if (env('GITHUB_REF_TYPE') === 'tag' && tag !== undefined) return tag;
  return commit?.slice(0, SHORT) ?? diskIdentity(disk.blocks).replace('sha256:', '').slice(0, SHORT);
}
