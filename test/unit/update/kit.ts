export const NIXPKGS = { type: 'github', owner: 'NixOS', repo: 'nixpkgs' };

interface Node {
  readonly rev: string;
  /** Seconds since 1970. */
  readonly time: number;
  readonly source?: Readonly<Record<string, string>>;
  readonly inputs?: Readonly<Record<string, string | readonly string[]>>;
}

/** A flake.lock of these inputs; those that no other has are the flake's own. */
export function flakeLock(nodes: Readonly<Record<string, Node>>, roots?: readonly string[]): string {
  const used = new Set(Object.values(nodes).flatMap(({ inputs = {} }) => Object.values(inputs).flat()));
  const own = roots ?? Object.keys(nodes).filter((name) => !used.has(name));
  return JSON.stringify({
    version: 7,
    root: 'root',
    nodes: {
      root: { inputs: Object.fromEntries(own.map((name) => [name, name])) },
      ...Object.fromEntries(
        Object.entries(nodes).map(([name, { rev, time, source = NIXPKGS, inputs = {} }]) => [
          name,
          { inputs, locked: { ...source, rev, lastModified: time, narHash: `sha256-${rev}` } },
        ]),
      ),
    },
  });
}
