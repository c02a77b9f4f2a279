import { type ByteString, fromText } from '../core/bytes.ts';
import { UserError } from '../core/error.ts';
import { MODE } from '../tar/profile.ts';
import { accountNodes } from './account-nodes.ts';
import type { BaseView } from './base-view.ts';
import { capabilityAttribute } from './capabilities.ts';
import type { DefinitionFile } from './definition.ts';
import type { RootLayer } from './layer.ts';
import { mergeRoot } from './merged-root.ts';
import { fileInBase, overBase } from './over-base.ts';
import { emptyDirectory, nodeAt, type RootDirectory, type RootNode, resolveInRoot, rootPath } from './root-tree.ts';
import type { TreeNode } from './tree.ts';
import { followInStore, type TreeSource } from './tree-source.ts';

const FILE_MODE = 0o644;

/**
 * The tree of a root layer: merged packages, accounts, the Nix database, then `files`, which win over a package's
 * file or link of the same path; all of it as it must be over a base, where there is one. Throws UserError `definition` for
 * collisions, with the base too, and sources that cannot be used.
 */
export function assembleRoot(
  layer: RootLayer,
  database: Uint8Array | undefined,
  source: TreeSource,
  base?: BaseView,
): RootDirectory {
  const root = mergeRoot(
    layer.copyToRoot.map((info) => info.path),
    layer.rootFiles,
    source,
    layer.replaceable.map((info) => info.path),
  );
  for (const [path, node] of accountNodes(layer, base)) addFile(root, path, node);
  if (database && base) checkDatabase(base);
  if (database) addDatabase(root, database, layer.database?.roots ?? []);
  // Parents before children, so that a stated directory keeps its mode when a file below it is stated too.
  for (const [path, file] of Object.entries(layer.files).sort(([a], [b]) => (a < b ? -1 : 1))) {
    addFile(root, path, fileNode(path, file, source), true);
  }
  if (database) giveDatabaseToOwner(root);
  return base ? overBase(root, base) : root;
}

/** Throws UserError `definition` where the base has a database too: whichever is on top, the other's paths are unknown. */
function checkDatabase(base: BaseView): void {
  const path = `${NIX_DB_FOLDER}/db.sqlite`;
  if (!base.node(fileInBase(base, path.split('/')))) return;
  throw new UserError('definition', `includeNixDB: ${base.name} has a Nix database of its own, ${path}`, {
    hint: 'The two cannot be merged: leave includeNixDB out, or put what the base has into the image by copyToRoot instead.',
  });
}

/** What the schema version of Nix's database is since Nix 2.0, as text in the file beside it. */
const NIX_DB_SCHEMA = '10';
const NIX_DB_FOLDER = '/nix/var/nix/db';

function addDatabase(root: RootDirectory, database: Uint8Array, roots: readonly string[]): void {
  const origin = 'includeNixDB';
  const bytes = (content: Uint8Array): RootNode => ({
    ...text('', FILE_MODE, origin),
    content: { kind: 'bytes', bytes: content },
  });
  addFile(root, `${NIX_DB_FOLDER}/db.sqlite`, bytes(database));
  addFile(root, `${NIX_DB_FOLDER}/schema`, text(NIX_DB_SCHEMA, FILE_MODE, origin));
  for (const path of roots) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    addFile(root, `/nix/var/nix/gcroots/image/${name}`, {
      type: 'symlink',
      uid: 0,
      gid: 0,
      origin,
      target: fromText(path),
    });
  }
}

/**
 * The database's files belong to whoever owns their folder, and to a group that may write to it, which `files` may state: a user
 * who is not root runs Nix.
 */
function giveDatabaseToOwner(root: RootDirectory): void {
  const folder = nodeAt(root, NIX_DB_FOLDER.split('/').slice(1).map(fromText));
  if (folder?.type !== 'directory') return;
  const { uid, gid } = folder;
  const mode = FILE_MODE | (folder.mode & 0o020);
  for (const [name, node] of folder.children)
    folder.children.set(name, node.type === 'file' ? { ...node, uid, gid, mode } : { ...node, uid, gid });
}

const text = (content: string, mode: number, origin: string): RootNode & { type: 'file' } => ({
  type: 'file',
  mode,
  uid: 0,
  gid: 0,
  origin,
  content: { kind: 'bytes', bytes: Buffer.from(content, 'utf8') },
});

function fileNode(path: string, file: DefinitionFile, source: TreeSource): RootNode {
  const origin = `files."${path}"`;
  const owner = { uid: file.uid, gid: file.gid, origin };
  if (file.type === 'symlink') return { type: 'symlink', target: fromText(file.target), ...owner };
  const mode = file.mode === null ? undefined : Number.parseInt(file.mode, 8);
  if (file.type === 'directory') return directory(new Map(), mode, owner);
  const xattrs =
    file.capabilities === null
      ? {}
      : {
          xattrs: new Map([['security.capability', capabilityAttribute(file.capabilities, `${origin}.capabilities`)]]),
        };
  if (file.type === 'text') return { ...text(file.text, mode ?? FILE_MODE, origin), ...owner, ...xattrs };
  return { ...sourceNode(file.source, mode, owner, source), ...xattrs };
}

function sourceNode(
  path: string,
  mode: number | undefined,
  owner: { uid: number; gid: number; origin: string },
  source: TreeSource,
): RootNode {
  const found = source.read(fromText(path));
  const node = found && followInStore(found, source);
  if (!node) {
    throw new UserError(
      'definition',
      `${owner.origin}.source: ${path} ${found ? 'is a link that leads out of the store' : 'is not there'}`,
      {
        hint: 'Name a file or directory that the package really has.',
      },
    );
  }
  return copied(node, mode, owner);
}

/** A package's tree as files of the image; `mode` is the mode of what was named, not of what is below it. */
function copied(
  node: TreeNode,
  mode: number | undefined,
  owner: { uid: number; gid: number; origin: string },
): RootNode {
  if (node.type === 'symlink') return { type: 'symlink', target: node.target, ...owner };
  if (node.type === 'file') {
    return {
      type: 'file',
      mode: mode ?? (node.executable ? MODE.executable : MODE.file),
      content: { kind: 'path', path: node.source, size: node.size },
      ...owner,
    };
  }
  const children = [...node.children].map(([name, child]): [ByteString, RootNode] => [
    name,
    copied(child, undefined, owner),
  ]);
  return directory(new Map(children), mode, owner);
}

/** A stated directory; one of which neither mode nor owner is stated need only be there. */
const directory = (
  children: RootDirectory['children'],
  mode: number | undefined,
  owner: { uid: number; gid: number; origin: string },
): RootDirectory => ({
  type: 'directory',
  mode: mode ?? MODE.rootDirectory,
  ...owner,
  stated: { mode: mode !== undefined, owner: mode !== undefined || owner.uid !== 0 || owner.gid !== 0 },
  children,
});

function addFile(root: RootDirectory, path: string, node: RootNode, replaces = false): void {
  const names = path.split('/').slice(1).map(fromText);
  const name = names.pop() ?? '';
  const parent = name === '' ? undefined : directoryAt(root, names, node.origin);
  if (!parent) throw collision(path, root, node);
  const present = parent.children.get(name);
  if (present?.type === 'directory' && node.type === 'directory') {
    // The stated directory gives mode and owner; what is in it stays.
    parent.children.set(name, { ...node, children: new Map([...present.children, ...node.children]) });
  } else if (present && (present.type === 'directory' || node.type === 'directory' || !replaces)) {
    throw collision(path, present, node);
  } else {
    parent.children.set(name, node);
  }
}

/** The directory at `names`, made where it is missing; a merged link to a directory (`bin -> usr/bin`) is followed. */
function directoryAt(root: RootDirectory, names: readonly ByteString[], origin: string): RootDirectory {
  let at: readonly ByteString[] = [];
  let directory = root;
  for (const name of names) {
    const present = directory.children.get(name);
    const end =
      present?.type === 'symlink' ? resolveInRoot(root, at, name) : present && { node: present, at: [...at, name] };
    if (present && end?.node.type !== 'directory') {
      throw new UserError(
        'definition',
        `${origin}: ${rootPath([...at, name])} is a ${present.type} from ${present.origin}, so nothing can be put below it`,
        {
          hint: 'Choose another path, or leave that package out of copyToRoot.',
        },
      );
    }
    if (end?.node.type === 'directory') {
      directory = end.node;
      at = end.at;
    } else {
      const made = emptyDirectory(origin);
      directory.children.set(name, made);
      directory = made;
      at = [...at, name];
    }
  }
  return directory;
}

const collision = (path: string, present: RootNode, node: RootNode): UserError =>
  new UserError(
    'definition',
    `${path} comes from ${present.origin} (${present.type}) and from ${node.origin} (${node.type})`,
    {
      hint: 'Leave one of the two out, or give one another path.',
    },
  );
