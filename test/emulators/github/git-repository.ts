import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Refusal } from './refusal.ts';

const NOTHING = '0'.repeat(40);

/** Whose address it is, as GitHub knows people; null where nobody's. */
const loginOf = (email: string): string | null =>
  email === 'noreply@github.com' ? 'web-flow' : (/^(.+)@users\.noreply\.github\.com$/.exec(email)?.[1] ?? null);

/** The address of a login. */
export const addressOf = (login: string): string => `${login}@users.noreply.github.com`;

/** What GitHub keeps of a repository: a real bare repository of git in a folder. */
export class GitRepository {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  #git(
    args: readonly string[],
    { input, env = {} }: { input?: string | Buffer; env?: Record<string, string> } = {},
  ): string {
    const settings = { cwd: this.#folder, env: { ...process.env, ...env }, encoding: 'utf8' as const };
    return execFileSync('git', args, { ...settings, input: input ?? '', stdio: ['pipe', 'pipe', 'ignore'] }).trim();
  }

  #tryGit(args: readonly string[]): string | undefined {
    try {
      return this.#git(args);
    } catch {
      return undefined;
    }
  }

  tip(branch: string): string | undefined {
    return this.#tryGit(['rev-parse', '--verify', '--quiet', `refs/heads/${branch}`]);
  }

  branches(): string[] {
    return this.#git(['for-each-ref', '--format=%(refname:short)', 'refs/heads']).split('\n');
  }

  create(ref: string, sha: string): void {
    if (this.#tryGit(['rev-parse', '--verify', '--quiet', ref])) throw new Refusal(422, 'Reference already exists');
    if (this.#tryGit(['cat-file', '-t', sha]) !== 'commit') throw new Refusal(422, 'Object does not exist');
    this.#git(['update-ref', ref, sha, NOTHING]);
  }

  remove(ref: string): void {
    if (!this.#tryGit(['rev-parse', '--verify', '--quiet', ref])) throw new Refusal(422, 'Reference does not exist');
    this.#git(['update-ref', '-d', ref]);
  }

  /** Whether the ref was at `from`, and so is at `to` now. */
  move(ref: string, from: string, to: string): boolean {
    return this.#tryGit(['update-ref', ref, to, from]) !== undefined;
  }

  fileId(path: string, commit: string): string | undefined {
    return this.#tryGit(['rev-parse', '--verify', '--quiet', `${commit}:${path}`]);
  }

  text(path: string, commit: string): string {
    return `${this.#git(['show', `${commit}:${path}`])}\n`;
  }

  message(commit: string): string {
    return this.#git(['log', '-1', '--format=%B', commit]);
  }

  parents(commit: string): string[] {
    return this.#git(['log', '-1', '--format=%P', commit]).split(' ');
  }

  /** A commit with files over the branch, made by GitHub for a login. */
  commit(branch: string, message: string, files: readonly { path: string; contents: string }[], login: string): string {
    const folder = mkdtempSync(join(tmpdir(), 'nix-images-index-'));
    try {
      const env = {
        GIT_INDEX_FILE: join(folder, 'index'),
        ...{ GIT_AUTHOR_NAME: login, GIT_AUTHOR_EMAIL: addressOf(login) },
        ...{ GIT_COMMITTER_NAME: 'GitHub', GIT_COMMITTER_EMAIL: 'noreply@github.com' },
      };
      const parent = this.tip(branch) ?? '';
      this.#git(['read-tree', parent], { env });
      for (const { path, contents } of files) {
        const id = this.#git(['hash-object', '-w', '--stdin'], { input: Buffer.from(contents, 'base64') });
        this.#git(['update-index', '--add', '--cacheinfo', `100644,${id},${path}`], { env });
      }
      const tree = this.#git(['write-tree'], { env });
      const made = this.#git(['commit-tree', tree, '-p', parent, '-F', '-'], { env, input: message });
      this.#git(['update-ref', `refs/heads/${branch}`, made, parent]);
      return made;
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }

  compare(base: string, head: string) {
    const [from, to] = [base, head].map((name) => this.tip(name) ?? name);
    const range = this.#tryGit(['log', '--format=%H%x00%ae%x00%ce%x00%B%x01', `${from}..${to}`]);
    if (range === undefined) throw new Refusal(404, 'Not Found');
    const commits = range
      .split('\u0001')
      .map((entry) => entry.trim().split('\0'))
      .filter(([sha]) => sha !== '')
      .map(([sha = '', author = '', committer = '', message = '']) => {
        const [by, through] = [author, committer].map(loginOf);
        return {
          ...{ sha, commit: { message } },
          ...{ author: by ? { login: by } : null, committer: through ? { login: through } : null },
        };
      })
      .reverse();
    return { commits, behind: Number(this.#git(['rev-list', '--count', `${to}..${from}`])) };
  }
}
