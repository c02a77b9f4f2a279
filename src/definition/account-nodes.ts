import { type ByteString, toBytes, toText } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import { type AccountFiles, accountFiles, type BaseAccounts } from './accounts.ts';
import type { Attributes, BaseView } from './base-view.ts';
import type { RootLayer } from './layer.ts';
import { fileInBase } from './over-base.ts';
import type { RootFile } from './root-tree.ts';

/** The files that list accounts: where they are, and how they are where no base has them. */
const FILES = [
  { name: 'passwd', mode: 0o644, origin: 'users' },
  { name: 'group', mode: 0o644, origin: 'groups' },
  // For root alone: even locked passwords are nobody else's business.
  { name: 'shadow', mode: 0o600, origin: 'users' },
  { name: 'gshadow', mode: 0o600, origin: 'groups' },
] as const;

type BaseFile = Attributes & { readonly text: ByteString };

/**
 * The files of /etc that list a layer's accounts, by path; over a base with its accounts too, and with the mode and owner
 * that they have there. Throws UserError `definition` where the two contradict, or the base's files cannot be read.
 */
export function accountNodes({ accounts, over }: RootLayer, base: BaseView | undefined): [path: string, RootFile][] {
  if (!accounts) return [];
  const there = new Map<string, BaseFile>();
  for (const { name } of base ? FILES : []) {
    const file = base && readFile(base, name);
    if (file) there.set(name, file);
  }
  const files = base && over ? accountFiles(over.users, over.groups, textsOf(there, base.name)) : accounts;
  return FILES.flatMap(({ name, mode, origin }): [string, RootFile][] => {
    const text = files?.[name];
    if (text === undefined) return [];
    const { uid, gid, mode: kept } = there.get(name) ?? { uid: 0, gid: 0, mode };
    const content = { kind: 'bytes', bytes: toBytes(text) } as const;
    return [[`/etc/${name}`, { type: 'file', mode: kept, uid, gid, origin, content }]];
  });
}

function textsOf(there: ReadonlyMap<string, BaseFile>, name: string): BaseAccounts {
  const text = (file: keyof AccountFiles): ByteString => there.get(file)?.text ?? '';
  return {
    name,
    passwd: text('passwd'),
    group: text('group'),
    shadow: text('shadow'),
    ...(there.has('gshadow') ? { gshadow: text('gshadow') } : {}),
  };
}

function readFile(base: BaseView, name: string): BaseFile | undefined {
  const path = fileInBase(base, ['etc', name]);
  const node = base.node(path);
  if (!node) return undefined;
  const hint = `State the whole file with files."/etc/${name}", without users and groups, or choose another base.`;
  const fail = (what: string): never => {
    throw new UserError('definition', `users and groups: /${toText(path)} of ${base.name} is ${what}`, { hint });
  };
  if (node.type !== 'file') return fail(`a ${node.type === 'symlink' ? 'link' : 'directory'}, not a file`);
  if (!node.accounts) return fail(`what /etc/${name} leads to, and is not read`);
  const { text, ...attributes } = node.accounts;
  return text === undefined ? fail('larger than 1 MiB') : { ...attributes, text };
}
