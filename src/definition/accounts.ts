import { type ByteString, fromText, toText } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import type { Definition } from './definition.ts';

type Users = Definition['users'];
type Groups = Definition['groups'];

/** The texts of the files that list accounts. */
export interface AccountFiles {
  readonly passwd: ByteString;
  readonly group: ByteString;
  readonly shadow: ByteString;
  /** Only where a base has it. */
  readonly gshadow?: ByteString;
}

/** The same of a base, and how messages name it. */
export interface BaseAccounts extends AccountFiles {
  readonly name: string;
}

const NO_ACCOUNTS: BaseAccounts = { name: '', passwd: '', group: '', shadow: '' };

// What programs expect to find wherever there are accounts at all; a definition or a base may say otherwise.
const ROOT = { uid: 0, gid: 0, description: 'System administrator', home: '/root', shell: '/bin/sh' };
const NOBODY = { uid: 65534, gid: 65534, description: 'Unprivileged account', home: '/var/empty', shell: '/bin/false' };

/** Days since 1970 that a password was last changed: day 1, for 0 asks for a new password at once. shadow(5). */
const LAST_CHANGE = 1;

/**
 * The texts of /etc/passwd, /etc/group and /etc/shadow (passwd(5), group(5), shadow(5), gshadow(5)): the lines of the base in
 * their order, those of an account that the definition has too replaced, then the others, sorted by number;
 * undefined when the definition has no accounts. root and nobody are added, and a group for every primary gid that has none. All passwords are locked.
 *
 * Throws UserError `definition` where the base has the number of a stated account under another name.
 */
export function accountFiles(users: Users, groups: Groups, base: BaseAccounts = NO_ACCOUNTS): AccountFiles | undefined {
  if (Object.keys(users).length === 0 && Object.keys(groups).length === 0) return undefined;
  const baseUsers = linesOf(base.passwd, base, 'passwd', 2);
  const baseGroups = linesOf(base.group, base, 'group', 2);
  checkNumbers('user', users, ({ uid }) => uid, { name: base.name, accounts: baseUsers });
  checkNumbers('group', groups, ({ gid }) => gid, { name: base.name, accounts: baseGroups });
  const allUsers = withDefaults(users, baseUsers);
  const allGroups = withPrimaryGroups(allUsers, groups, baseGroups);
  const byUid = Object.entries(allUsers).sort(([a, x], [b, y]) => x.uid - y.uid || (a < b ? -1 : 1));
  const byGid = Object.entries(allGroups).sort(([a, x], [b, y]) => x.gid - y.gid || (a < b ? -1 : 1));
  return {
    passwd: merged(
      base.passwd,
      byUid.map(([name, u]) => [name, 'x', u.uid, u.gid, u.description, u.home, u.shell]),
    ),
    group: merged(
      base.group,
      byGid.map(([name, g]) => [name, 'x', g.gid, g.members.join(',')]),
    ),
    shadow: merged(
      base.shadow,
      byUid.map(([name]) => [name, '!', LAST_CHANGE, '', '', '', '', '', '']),
    ),
    ...(base.gshadow === undefined
      ? {}
      : {
          gshadow: merged(
            base.gshadow,
            byGid.map(([name, g]) => [name, '!', '', g.members.join(',')]),
          ),
        }),
  };
}

/** An account of a base: its name and number. */
interface Numbered {
  readonly name: string;
  readonly id: number;
}

/** Throws UserError `definition` for a line whose number is none. */
function linesOf(text: ByteString, base: BaseAccounts, file: string, field: number): Numbered[] {
  return text.split('\n').flatMap((line, at) => {
    // NIS and comments, which programs pass over as well.
    if (line.trim() === '' || /^[#+-]/.test(line)) return [];
    const fields = line.split(':');
    const id = fields[field] ?? '';
    if (/^\d{1,10}$/.test(id)) return [{ name: toText(fields[0] ?? ''), id: Number(id) }];
    throw new UserError('definition', `/etc/${file} of ${base.name}: line ${at + 1} has no number`, {
      hint: 'Users and groups cannot be added to such a file: fix the base, or give the whole file in files.',
    });
  });
}

function checkNumbers<A>(
  kind: 'user' | 'group',
  own: Readonly<Record<string, A>>,
  numberOf: (account: A) => number,
  base: { readonly name: string; readonly accounts: readonly Numbered[] },
): void {
  for (const [name, account] of Object.entries(own)) {
    const id = numberOf(account);
    const other = base.accounts.find((there) => there.id === id && !Object.hasOwn(own, there.name));
    if (!other) continue;
    throw new UserError(
      'definition',
      `${kind}s.${name}: ${kind === 'user' ? 'uid' : 'gid'} ${id} is that of ${kind} '${other.name}' in ${base.name}`,
      { hint: `Choose another number, or call it '${other.name}', which replaces that ${kind} of the base.` },
    );
  }
}

/** Lines of a base with those replaced that have a row of the same name; the other rows follow. */
function merged(base: ByteString, rows: readonly (readonly (string | number)[])[]): ByteString {
  const lines = new Map(rows.map((row) => [fromText(String(row[0])), fromText(row.join(':'))]));
  const kept = base
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const name = line.split(':', 1)[0] ?? '';
      const own = lines.get(name);
      lines.delete(name);
      return own ?? line;
    });
  return [...kept, ...lines.values()].map((line) => `${line}\n`).join('');
}

function withDefaults(users: Users, base: readonly Numbered[]): Users {
  const uids = new Set([...Object.values(users).map((user) => user.uid), ...base.map(({ id }) => id)]);
  const names = new Set([...Object.keys(users), ...base.map(({ name }) => name)]);
  return {
    ...(uids.has(ROOT.uid) || names.has('root') ? {} : { root: ROOT }),
    ...(uids.has(NOBODY.uid) || names.has('nobody') ? {} : { nobody: NOBODY }),
    ...users,
  };
}

function withPrimaryGroups(users: Users, groups: Groups, base: readonly Numbered[]): Groups {
  // A map: a user may be called `constructor`.
  const all = new Map(Object.entries(groups));
  const kept = base.filter(({ name }) => !all.has(name));
  const names = new Set([...all.keys(), ...kept.map(({ name }) => name)]);
  const gids = new Set([...Object.values(groups).map((group) => group.gid), ...kept.map(({ id }) => id)]);
  for (const [name, user] of Object.entries(users)) {
    if (gids.has(user.gid)) continue;
    gids.add(user.gid);
    // The user's own name, unless another group of that name has another number.
    const chosen = names.has(name) ? `${name}-${user.gid}` : name;
    names.add(chosen);
    all.set(chosen, { gid: user.gid, members: [] });
  }
  return Object.fromEntries(all);
}
