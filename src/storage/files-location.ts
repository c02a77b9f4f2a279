import { UserError } from '../core/error.ts';

/** A place that holds disks as files: a folder, or the assets of a release of a repository on GitHub. */
export type FilesLocation =
  | { readonly kind: 'dir'; readonly path: string }
  | { readonly kind: 'release'; readonly repository: string; readonly tag: string };

/** `release:v1` is an image of Docker Hub; nothing with a slash behind the colon is one. */
const FILES = /^(?:dir:|release:[^/]*\/)/;

/** Whether a text means a place of files, right or wrong. */
export const isFilesPlace = (text: string): boolean => FILES.test(text);

/** What GitHub takes as the name of an owner and of a repository. */
const REPOSITORY = /^[A-Za-z0-9][A-Za-z0-9-]{0,38}\/[A-Za-z0-9._-]{1,100}$/;

/** What git refuses in the name of a tag (git-check-ref-format), and blanks. */
const BAD_TAG = /^[-/.]|\.\.|@\{|[\s~^:?*[\\\p{Cc}]|\/\/|[/.]$|\.lock$/u;

const illegal = (value: string, what: string, hint: string): UserError =>
  new UserError('reference', `${JSON.stringify(value)} is not a valid destination: ${what}`, {
    hint,
    docs: 'disks.md#where-a-disk-goes',
  });

/** Reads `dir:PATH` or `release:OWNER/REPO@TAG`. Throws UserError `reference`. */
export function parseFilesLocation(text: string): FilesLocation {
  if (text.startsWith('dir:')) {
    const path = text.slice('dir:'.length);
    if (path === '' || path.includes('\0')) throw illegal(text, 'the folder is missing', 'Write dir:FOLDER.');
    return { kind: 'dir', path };
  }
  const [, repository = '', tag = ''] = /^release:([^@]*)(?:@(.*))?$/s.exec(text) ?? [];
  const hint = 'Write release:OWNER/REPOSITORY@TAG, such as release:org/app@v1.2.';
  if (!REPOSITORY.test(repository)) throw illegal(text, `${repository || 'it'} is not a repository of GitHub`, hint);
  if (tag === '') throw illegal(text, 'the tag of the release is missing', hint);
  if (BAD_TAG.test(tag)) throw illegal(text, `${JSON.stringify(tag)} is not a valid tag of git`, hint);
  return { kind: 'release', repository, tag };
}

/** As a person writes it; `parseFilesLocation` reads it back. */
export const formatFilesLocation = (location: FilesLocation): string =>
  location.kind === 'dir' ? `dir:${location.path}` : `release:${location.repository}@${location.tag}`;
