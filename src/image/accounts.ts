import type { Definition } from './definition.ts';

type Users = Definition['users'];
type Groups = Definition['groups'];

export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
  readonly shadow: string;
}

// What programs expect to find wherever there are accounts at all; a definition may say otherwise.
const ROOT = { uid: 0, gid: 0, description: 'System administrator', home: '/root', shell: '/bin/sh' };
const NOBODY = { uid: 65534, gid: 65534, description: 'Unprivileged account', home: '/var/empty', shell: '/bin/false' };

/** Days since 1970 that a password was last changed: day 1, for 0 asks for a new password at once. shadow(5). */
const LAST_CHANGE = 1;

/**
 * The texts of /etc/passwd, /etc/group and /etc/shadow (passwd(5), group(5), shadow(5)), sorted by number; undefined
 * when the definition has no accounts. root and nobody are added, and a group for every primary gid that has none.
 * All passwords are locked.
 */
export function accountFiles(users: Users, groups: Groups): AccountFiles | undefined {
  if (Object.keys(users).length === 0 && Object.keys(groups).length === 0) return undefined;
  const allUsers = withDefaults(users);
  const allGroups = withPrimaryGroups(allUsers, groups);
  const byUid = Object.entries(allUsers).sort(([a, x], [b, y]) => x.uid - y.uid || (a < b ? -1 : 1));
  const byGid = Object.entries(allGroups).sort(([a, x], [b, y]) => x.gid - y.gid || (a < b ? -1 : 1));
  return {
    passwd: lines(byUid.map(([name, u]) => [name, 'x', u.uid, u.gid, u.description, u.home, u.shell])),
    group: lines(byGid.map(([name, g]) => [name, 'x', g.gid, g.members.join(',')])),
    shadow: lines(byUid.map(([name]) => [name, '!', LAST_CHANGE, '', '', '', '', '', ''])),
  };
}

const lines = (rows: readonly (readonly (string | number)[])[]): string =>
  rows.map((row) => `${row.join(':')}\n`).join('');

function withDefaults(users: Users): Users {
  const uids = new Set(Object.values(users).map((user) => user.uid));
  return {
    ...(uids.has(ROOT.uid) || users.root ? {} : { root: ROOT }),
    ...(uids.has(NOBODY.uid) || users.nobody ? {} : { nobody: NOBODY }),
    ...users,
  };
}

function withPrimaryGroups(users: Users, groups: Groups): Groups {
  // A map: a user may be called `constructor`.
  const all = new Map(Object.entries(groups));
  const gids = new Set(Object.values(groups).map((group) => group.gid));
  for (const [name, user] of Object.entries(users)) {
    if (gids.has(user.gid)) continue;
    gids.add(user.gid);
    // The user's own name, unless a stated group of that name has another number.
    all.set(all.has(name) ? `${name}-${user.gid}` : name, { gid: user.gid, members: [] });
  }
  return Object.fromEntries(all);
}
