import type { AmiRegistration } from '../aws/ec2-api.ts';
import { canonicalJson } from '../core/canonical-json.ts';
import { UserError } from '../core/error.ts';
import { type Digest, digestHex, digestOf } from '../oci/digest.ts';
import type { Wanted, WantedDisk } from './wanted.ts';

/** By what AMIs and snapshots of ours are found again: state is in AWS alone, so that any run on any machine goes on from it. */
export const TAGS = {
  /** Everything that makes the AMI what it is: disk, registration, encryption. */
  content: 'nix-images:content',
  /** Identity of the disk alone: a snapshot serves registrations of several kinds. */
  disk: 'nix-images:disk',
  image: 'nix-images:image',
  system: 'nix-images:system',
  version: 'nix-images:version',
  /** The run that published it. Set last: what is without it was never finished. */
  run: 'nix-images:run',
  /** The published disk that a snapshot was made of, by digest: there its list of blocks is read for the next upload. */
  source: 'nix-images:source',
  /** When `prune` disabled it, RFC 3339; EC2 does not say so itself. */
  disabled: 'nix-images:disabled',
  /** Of a snapshot, whose AMI `prune` has deregistered: when, RFC 3339. */
  removed: 'nix-images:removed',
  /** Client token of an upload, by which another run goes on with it. */
  token: 'nix-images:token',
} as const;

const ROOT_DEVICE = '/dev/xvda';

const ARCHITECTURES = { 'x86_64-linux': 'x86_64', 'aarch64-linux': 'arm64' } as const;

/** What RegisterImage is told of a disk, beside names and ids. */
export const registrationOf = ({ system, bootMode, tpm, uefiData }: WantedDisk) =>
  ({
    architecture: ARCHITECTURES[system],
    bootMode,
    tpm,
    uefiData,
    rootDevice: ROOT_DEVICE,
  }) satisfies Partial<AmiRegistration>;

/** Raised when what every registration says beside that (gp3, ENA, IMDSv2) changes. */
const RULES = 1;

/** What the AMI of a disk holds and is registered as, in a region with this key: equal for what need not be made again. */
export const contentOf = (disk: WantedDisk, kmsKey: string | undefined): Digest =>
  digestOf(
    Buffer.from(
      canonicalJson({
        rules: RULES,
        disk: disk.identity,
        bytes: disk.bytes,
        kmsKey: kmsKey ?? null,
        image: disk.image,
        registration: registrationOf(disk),
      }),
    ),
  );

/** Characters of a content in names: two of a thousand contents share them once in 10^9 accounts. */
const SHORT = 12;

/** What names speak of. */
type Named = Pick<WantedDisk, 'image' | 'system' | 'version'>;

function fill(template: string, disk: Named, content: string): string {
  const values: Readonly<Record<string, string>> = {
    image: disk.image,
    system: disk.system,
    arch: ARCHITECTURES[disk.system],
    version: disk.version,
    content: content.replace('sha256:', '').slice(0, SHORT),
  };
  return template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value !== undefined) return value;
    throw new UserError('input', `unknown name {${name}} in ${JSON.stringify(template)}`, {
      hint: `There are ${Object.keys(values)
        .map((known) => `{${known}}`)
        .join(', ')}.`,
    });
  });
}

const NAME = /^[A-Za-z0-9()[\] ./'@_-]{3,128}$/;

/** The AMI's name. Throws UserError `input` for what EC2 does not take (EC2 API reference, RegisterImage). */
export function amiName({ name: template }: Wanted, disk: WantedDisk, content: string): string {
  const name = fill(template, disk, content);
  if (NAME.test(name)) return name;
  throw new UserError('input', `${JSON.stringify(name)} is not a valid name of an AMI`, {
    hint: "It has 3 to 128 characters: letters, digits, spaces and ( ) [ ] . / - ' @ _.",
  });
}

/** Longer descriptions are refused (EC2 API reference, RegisterImage). */
const LONGEST = 255;

export const amiDescription = ({ description }: Wanted, disk: WantedDisk, content: string): string =>
  fill(description, disk, content).slice(0, LONGEST);

export const parameterName = (template: string, disk: Named, content: string): string => fill(template, disk, content);

/** Tags of an AMI and of the snapshots under it, from the first request on. */
export const amiTags = (disk: WantedDisk, content: string): Readonly<Record<string, string>> => ({
  Name: `${disk.image} ${disk.version}`,
  [TAGS.content]: content,
  [TAGS.disk]: disk.identity,
  [TAGS.image]: disk.image,
  [TAGS.system]: disk.system,
  [TAGS.version]: disk.version,
});

/** Of any text, 64 characters that AWS takes as a client token; EBS takes no more. */
export const clientToken = (...parts: readonly string[]): string => digestHex(digestOf(Buffer.from(parts.join('\n'))));
