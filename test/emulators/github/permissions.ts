import { Refusal } from './refusal.ts';

/** What a job's `permissions:` may name, as far as routes here ask for it. */
export type Scope =
  | 'metadata'
  | 'actions'
  | 'contents'
  | 'pull-requests'
  | 'packages'
  | 'issues'
  | 'statuses'
  | 'administration';

export type Level = 'read' | 'write';

/** A job's `permissions:`; what is not named is `none`. */
export type Permissions = Readonly<Partial<Record<Scope, Level>>>;

/** What a route asks for. */
export interface Need {
  readonly scope: Scope;
  readonly level: Level;
}

/** Throws the refusal that an installation's token gets (MyAlbum/purge-cache 8, pandas-dev/pandas 66466). */
export const checkPermission = ({ scope, level }: Need, permissions: Permissions, isPublic: boolean): void => {
  // Every token has it, whatever a job names.
  if (scope === 'metadata') return;
  const granted = permissions[scope];
  if (granted === 'write' || granted === level) return;
  // What everybody may read needs no permission; administration is nobody's to read.
  if (level === 'read' && isPublic && scope !== 'administration') return;
  throw new Refusal(403, 'Resource not accessible by integration', {
    'x-accepted-github-permissions': `${scope.replace('-', '_')}=${level}`,
  });
};
