import type { PushModes } from './branches.ts';
import type { GitRepository } from './git-repository.ts';
import type { OpenedPulls } from './opened-pulls.ts';
import { checkPermission, type Permissions } from './permissions.ts';
import type { Route } from './route.ts';

/** Whose token asks, and how the repository is set up. */
export interface GraphqlModes extends PushModes {
  /** Default: that of a job, `github-actions[bot]`. */
  readonly login?: string;
  readonly permissions?: Permissions;
  /** Whether a check is required for the base. Default: true. */
  readonly hasRequiredChecks?: boolean;
  /** Whether a check that is not required is still running. */
  readonly hasRunningCheck?: boolean;
  /** Somebody pushes just before a branch is moved. */
  readonly beforeMove?: () => void;
}

type Input = Readonly<Record<string, unknown>>;

interface World {
  readonly git: GitRepository;
  readonly pulls: OpenedPulls;
  readonly modes: GraphqlModes;
}

type Operation = (input: Input, world: World) => unknown;

const needs = (scope: 'contents' | 'pull-requests', { modes }: World): void =>
  checkPermission({ scope, level: 'write' }, modes.permissions ?? {}, false);

const refuseAt = (step: 'commit' | 'move', { modes: { refusesPushes } }: World): void => {
  if (refusesPushes?.at === step) throw new Error(refusesPushes.words);
};

const OPERATIONS: Readonly<Record<string, Operation>> = {
  createCommitOnBranch: (input, world) => {
    needs('contents', world);
    refuseAt('commit', world);
    const { branch, expectedHeadOid, message, fileChanges } = input as {
      branch: { branchName: string };
      expectedHeadOid: string;
      message: { headline: string; body?: string };
      fileChanges: { additions: { path: string; contents: string }[] };
    };
    const { git, pulls, modes } = world;
    const tip = git.tip(branch.branchName);
    if (tip !== expectedHeadOid) {
      throw new Error(`Expected branch to point to "${tip}" but it did not. Pull and try again.`);
    }
    const text = `${message.headline}\n\n${message.body ?? ''}`;
    const oid = git.commit(branch.branchName, text, fileChanges.additions, modes.login ?? 'github-actions[bot]');
    pulls.afterPush();
    return { commit: { oid } };
  },
  updateRefs: (input, world) => {
    needs('contents', world);
    refuseAt('move', world);
    world.modes.beforeMove?.();
    const { refUpdates } = input as {
      refUpdates: { name: string; beforeOid: string; afterOid: string; force: boolean }[];
    };
    for (const { name, beforeOid, afterOid } of refUpdates) {
      if (!world.git.move(name, beforeOid, afterOid)) throw new Error(`Reference ${name} is not at ${beforeOid}`);
    }
    world.pulls.afterPush();
    return { clientMutationId: null };
  },
  enablePullRequestAutoMerge: (input, world) => {
    needs('pull-requests', world);
    const { pullRequestId, mergeMethod } = input as { pullRequestId: string; mergeMethod: string };
    const { hasRequiredChecks = true, hasRunningCheck = false } = world.modes;
    if (!hasRequiredChecks)
      throw new Error(`Pull request Pull request is in ${hasRunningCheck ? 'unstable' : 'clean'} status`);
    world.pulls.byNumber(pullRequestId.replace('PR_', '')).merges = mergeMethod;
    return { clientMutationId: null };
  },
};

/** GitHub's other interface, for the few operations that REST does not have. Its refusals are answers of status 200. */
export const graphqlRoute = (world: World): Route => ({
  verb: 'post',
  template: '/graphql',
  need: undefined,
  parameters: [],
  run: ({ body }) => {
    const { query, variables } = body as { query: string; variables: { input?: Input } };
    if (query.includes('viewer')) {
      const login = world.modes.login ?? 'github-actions[bot]';
      return { status: 200, body: { data: { viewer: { login }, repository: { id: 'R_1' } } } };
    }
    const name = Object.keys(OPERATIONS).find((operation) => query.includes(`${operation}(`)) ?? '';
    try {
      return { status: 200, body: { data: { [name]: OPERATIONS[name]?.(variables.input ?? {}, world) } } };
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { status: 200, body: { data: { [name]: null }, errors: [{ message, path: [name] }] } };
    }
  },
});
