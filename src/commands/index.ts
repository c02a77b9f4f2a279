import type { CommandLoaders } from '../host/command.ts';

/** Every command. The imports are lazy, so that a command loads only what it needs. */
export const commands: CommandLoaders = {
  plan: () => import('./plan.ts').then((module) => module.plan),
  build: () => import('./build.ts').then((module) => module.build),
  'build-shared': () => import('./build-shared.ts').then((module) => module.buildShared),
  publish: () => import('./publish.ts').then((module) => module.publish),
  machine: () => import('./machine.ts').then((module) => module.machine),
  boot: () => import('./boot.ts').then((module) => module.boot),
  copy: () => import('./copy.ts').then((module) => module.copy),
  promote: () => import('./promote.ts').then((module) => module.promote),
  rollback: () => import('./rollback.ts').then((module) => module.rollback),
  history: () => import('./history.ts').then((module) => module.history),
  diff: () => import('./diff.ts').then((module) => module.diff),
  preview: () => import('./preview.ts').then((module) => module.preview),
  update: () => import('./update.ts').then((module) => module.update),
  cache: () => import('./cache.ts').then((module) => module.cache),
  'cache-save': () => import('./cache-save.ts').then((module) => module.cacheSave),
  'cache-merge': () => import('./cache-merge.ts').then((module) => module.cacheMerge),
  'cache-keep': () => import('./cache-keep.ts').then((module) => module.cacheKeep),
  'cache-stats': () => import('./cache-stats.ts').then((module) => module.cacheStats),
  'deploy-ami': () => import('./deploy-ami.ts').then((module) => module.deployAmi),
  prune: () => import('./prune.ts').then((module) => module.prune),
  pull: () => import('./pull.ts').then((module) => module.pull),
  inspect: () => import('./inspect.ts').then((module) => module.inspect),
};
