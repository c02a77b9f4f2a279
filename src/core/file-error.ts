import { UserError } from './error.ts';
import { lookUp } from './lookup.ts';

const EXPLAINED: Readonly<Record<string, readonly [string, string]>> = {
  ENOSPC: ['no space left on device', 'Free space on that disk, or write to another one.'],
  EDQUOT: ['quota exceeded', 'Free space, or write to another disk.'],
  EACCES: ['permission denied', 'Check owner and mode of the file and the folders above it.'],
  EPERM: ['operation not permitted', 'Check owner, mode and mount options.'],
  EROFS: ['read-only file system', 'Write to another place.'],
  ENOENT: ['no such file or folder', 'Check the path; folders above a file must exist.'],
  ENOTDIR: ['a part of the path is not a folder', 'Check the path.'],
  EISDIR: ['it is a folder', 'Name a file.'],
  EEXIST: ['it already exists', 'Choose another path, or remove it.'],
  ELOOP: ['it is a symbolic link', 'Links are not followed here; name the file itself.'],
  EFBIG: ['file too large for the file system', 'Write to another disk.'],
  EMFILE: ['too many open files', 'Raise the limit of open files (ulimit -n).'],
};

/** What the system or Node calls an error, as `ENOENT`; undefined where it has no such name. */
export const systemCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

export const isMissing = (error: unknown): boolean => systemCode(error) === 'ENOENT';

/** A file system's refusal as UserError `file` that names `path`; anything else comes back as it is. */
export function fileError(error: unknown, path: string, action: 'read' | 'write'): unknown {
  const code = systemCode(error);
  if (error instanceof UserError || code === undefined || !/^E[A-Z0-9]+$/.test(code)) return error;
  const [what, hint] = lookUp(EXPLAINED, code) ?? [
    `the file system answered ${code}`,
    'Check the path and its file system.',
  ];
  return new UserError('file', `cannot ${action} ${path}: ${what}`, { hint, cause: error });
}

/** Runs `work` and turns what the file system refuses into UserError `file`. */
export async function withFileErrors<T>(path: string, action: 'read' | 'write', work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError(error, path, action);
  }
}
