import type { StorePathInfo } from '../definition/closure.ts';
import { isStorePath, STORE } from '../definition/store-path.ts';
import { toNixHash } from './nar-hash.ts';
import type { SigningKey } from './signing-key.ts';

/** Where a NAR is, relative to its cache, and how it is packed. */
interface PackedNar {
  readonly url: string;
  readonly compression: 'zstd';
  /** In bytes, as it is sent. */
  readonly fileSize: number;
}

const baseName = (path: string): string => path.slice(STORE.length + 1);

/** What a binary cache says of a path (nix.dev, "Binary cache"), with a signature by `key`. */
export function narinfoText(
  info: StorePathInfo & { readonly deriver?: string | undefined },
  nar: PackedNar,
  key: SigningKey,
): string {
  const fields: readonly (readonly [string, string])[] = [
    ['StorePath', info.path],
    ['URL', nar.url],
    ['Compression', nar.compression],
    ['FileSize', String(nar.fileSize)],
    ['NarHash', toNixHash(info.narHash)],
    ['NarSize', String(info.narSize)],
    ['References', info.references.map(baseName).join(' ')],
    ...(info.deriver === undefined ? [] : [['Deriver', baseName(info.deriver)] as const]),
    ['Sig', key.sign(info)],
  ];
  return fields.map(([name, value]) => `${name}: ${value}\n`).join('');
}

/** What is read of another cache's narinfo. */
interface NarinfoFacts {
  readonly path: string;
  /** Names of the keys that signed it. */
  readonly signers: readonly string[];
  /** Whether its content proves it, so that it needs no signature. */
  readonly isContentAddressed: boolean;
}

/** Characters of a narinfo that are read; with a thousand references it has 60,000. */
export const NARINFO_LIMIT = 1_000_000;

/** Reads a narinfo of whatever origin; undefined when it is none, such as a page of a proxy that asks for a login. */
export function parseNarinfo(text: string): NarinfoFacts | undefined {
  if (text.length > NARINFO_LIMIT) return undefined;
  const values = (name: string): readonly string[] =>
    lines.flatMap((line) => (line.startsWith(`${name}: `) ? [line.slice(name.length + 2).trim()] : []));
  const lines = text.split(/\r?\n/);
  const [path, ...others] = values('StorePath');
  if (path === undefined || others.length > 0 || !isStorePath(path)) return undefined;
  if (values('NarHash').length !== 1 || values('URL').length !== 1) return undefined;
  return {
    path,
    signers: values('Sig').map((signature) => signature.split(':', 1)[0] ?? ''),
    isContentAddressed: values('CA').some((value) => value !== ''),
  };
}
