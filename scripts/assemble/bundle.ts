import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { AssembleError } from './failure.ts';
import { renderLicences } from './licences.ts';
import { runProgram } from './program.ts';

/** What Node 24, the oldest that runs a release, understands. */
const TARGET = 'es2024';

/** Programs for development; their presence would mean that the source imports what it should not. */
const UNWANTED = ['typescript', 'vitest', '@biomejs/biome', 'fast-check'];

/** What packages try to load and do without: colours of debug's lines, Kerberos for proxies. */
const OPTIONAL = ['supports-color', 'kerberos'];

/** ncc's stand-ins, such as the one for a module that is not installed. */
const STAND_IN = '/@vercel/ncc/';

interface Module {
  readonly name?: string | undefined;
  readonly modules?: readonly Module[] | undefined;
}
const MODULE: z.ZodType<Module> = z.lazy(() =>
  z.object({ name: z.string().optional(), modules: z.array(MODULE).optional() }),
);
const STATS = z.object({ modules: z.array(MODULE) });

const PACKAGE = /^(?:\.\.\/)+((?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/ ]+)/;

/** Folders, from the root, of the packages that webpack's list of modules names. */
export const bundledPackages = (modules: readonly Module[]): string[] => {
  const folders = new Set<string>();
  const visit = ({ name, modules: inner }: Module): void => {
    const folder = PACKAGE.exec(name ?? '')?.[1];
    if (folder !== undefined && name?.includes(STAND_IN) === false) folders.add(folder);
    inner?.forEach(visit);
  };
  modules.forEach(visit);
  return [...folders].sort();
};

/** Types are erased and not checked: `npm test` has checked them. */
const transpile = async (root: string, source: string, out: string): Promise<void> => {
  const settings = {
    extends: './tsconfig.json',
    include: ['src'],
    compilerOptions: { noEmit: false, noCheck: true, rootDir: '.', outDir: out },
  };
  const project = join(source, 'tsconfig.release.json');
  await writeFile(project, JSON.stringify(settings));
  await runProgram([process.execPath, join(root, 'node_modules/typescript/bin/tsc'), '--project', project], {
    cwd: source,
  });
};

/** The program reads its version and repository from package.json, which would go into the bundle as it is. */
const trimmedManifest = async (source: string): Promise<string> => {
  const repository = z.object({ type: z.string(), url: z.string() });
  const manifest = z.object({ name: z.string(), version: z.string(), repository });
  const kept = manifest.parse(JSON.parse(await readFile(join(source, 'package.json'), 'utf8')));
  return `${JSON.stringify({ ...kept, type: 'module' })}\n`;
};

const checkFile = (name: string, text: string, root: string): void => {
  // ncc's way to say that it did not find a module: nobody would notice before that line runs.
  for (const [, lost = ''] of text.matchAll(/eval\("require"\)\("([^"]+)"\)/g)) {
    if (OPTIONAL.includes(lost)) continue;
    const advice = 'Run npm ci; or, where a package does without it, add it to OPTIONAL in scripts/assemble/bundle.ts';
    throw new AssembleError(`${name} asks for ${lost}, which is not installed. ${advice}`);
  }
  if (text.includes(root)) throw new AssembleError(`${name} names ${root}: releases would differ by checkout`);
};

/** One of these in a file, an ellipsis in a message, and V8 holds all of its text as two bytes a character. Backslashes before it may escape it. */
const BEYOND_LATIN1 = /(\\*)([\u0100-\uffff])/g;

/** Of text in which an escape is no escape. */
const RAW_BEYOND_LATIN1 = /String\.raw\s*`[^`]*[\u0100-\uffff]/;

/**
 * @internal The same JavaScript in Latin-1, for a program's text stays in memory: 2 MB less in a publish. Throws AssembleError where it would be
 * another program.
 */
export const inLatin1 = (script: string): string => {
  const [raw] = RAW_BEYOND_LATIN1.exec(script) ?? [];
  if (raw !== undefined) throw new AssembleError(`${raw} cannot be written in Latin-1: use an ordinary string`);
  return script.replace(BEYOND_LATIN1, (_all, slashes: string, unit: string) => {
    const code = unit.charCodeAt(0).toString(16).padStart(4, '0');
    // An odd one would escape the backslash of the escape.
    return `${slashes.slice(slashes.length % 2)}\\u${code}`;
  });
};

/** An escape where no string, comment or name is, such as for a space, makes another program, which nobody would notice before it is loaded. */
const checkSyntax = async (files: readonly string[], cwd: string): Promise<void> => {
  const parser = join(import.meta.dirname, 'parse-scripts.ts');
  await runProgram([process.execPath, '--experimental-vm-modules', '--no-warnings', parser, ...files], { cwd });
};

const checkPackages = (folders: readonly string[]): void => {
  const found = UNWANTED.filter((name) => folders.some((folder) => folder.endsWith(`node_modules/${name}`)));
  if (found.length > 0) throw new AssembleError(`the bundle has ${found.join(', ')} in it`);
};

/**
 * Makes the program from the source in `source` into the folder `dist`, with the packages installed in `root`. `source` lies
 * in a folder of `root`, always equally deep: names of modules are relative to it, and chunks are numbered by them.
 * Throws AssembleError when something in the source cannot be bundled.
 */
export const bundle = async (root: string, source: string, dist: string): Promise<void> => {
  const plain = join(source, 'out/js');
  await mkdir(plain, { recursive: true });
  await transpile(root, source, plain);
  const manifest = await trimmedManifest(source);
  await writeFile(join(plain, 'package.json'), manifest);
  const drafts = join(source, 'out/dist');
  const stats = join(source, 'out/stats.json');
  const ncc = [process.execPath, join(root, 'node_modules/@vercel/ncc/dist/ncc/cli.js')] as const;
  const options = ['--out', drafts, '--stats-out', stats, '--target', TARGET, '--no-cache', '--quiet'];
  await runProgram([...ncc, 'build', 'src/main.js', ...options], { cwd: plain });
  const folders = bundledPackages(STATS.parse(JSON.parse(await readFile(stats, 'utf8'))).modules);
  checkPackages(folders);
  const scripts: string[] = [];
  for (const name of await readdir(drafts, { recursive: true, withFileTypes: true })) {
    if (!name.isFile()) continue;
    const file = join(name.parentPath, name.name);
    const text = await readFile(file, 'utf8');
    checkFile(name.name, text, root);
    if (!name.name.endsWith('.js')) continue;
    await writeFile(file, inLatin1(text));
    scripts.push(file);
  }
  await checkSyntax(scripts, drafts);
  // ncc's own says no more than that these are modules; the flake's package asks for the version.
  await writeFile(join(drafts, 'package.json'), manifest);
  await writeFile(join(drafts, 'licenses.txt'), await renderLicences(folders.map((folder) => join(root, folder))));
  await rename(drafts, dist);
};
