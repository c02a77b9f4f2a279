import { SCHEMA_VERSION } from '../../src/definition/definition.ts';
import type { Command } from '../../src/host/command.ts';
import { PLAN_VERSION } from '../../src/plan/plan.ts';
import { renderActionEntries, renderActionReadme, renderActionYaml } from './action.ts';
import { renderCliPage } from './cli-page.ts';
import { type ReadText, renderMarkedPages, renderPictures } from './marked-pages.ts';
import { OIDC_WORKFLOW, renderOidcWorkflow } from './oidc-workflow.ts';
import { renderRootAction } from './root-action.ts';
import { renderDefinitionSchema, renderDiskSchema, renderPlanSchema } from './schema.ts';

/** Files by their path from the project's root. */
export type Files = Readonly<Record<string, string>>;

/** Everything that is generated from the source. `read` gives the pages of `MARKED_SOURCES` as they are. */
export const renderFiles = (commands: readonly Command[], read: ReadText): Files => {
  const files: Record<string, string> = {
    'docs/cli.md': renderCliPage(commands),
    [`nix/schema/image-definition.v${SCHEMA_VERSION}.json`]: renderDefinitionSchema(),
    [`nix/schema/disk-definition.v${SCHEMA_VERSION}.json`]: renderDiskSchema(),
    [`nix/schema/plan.v${PLAN_VERSION}.json`]: renderPlanSchema(),
  };
  for (const command of commands.filter(({ faces }) => faces !== 'cli')) {
    files[`actions/${command.name}/action.yml`] = renderActionYaml(command);
    files[`actions/${command.name}/README.md`] = renderActionReadme(command);
    for (const [stub, text] of Object.entries(renderActionEntries(command)))
      files[`actions/${command.name}/${stub}`] = text;
  }
  const [publish, plan] = ['publish', 'plan'].map((wanted) => commands.find(({ name }) => name === wanted));
  if (publish && plan) files['actions/root/action.yml'] = renderRootAction(publish, plan);
  const images = read(OIDC_WORKFLOW.from);
  if (images !== undefined) for (const path of OIDC_WORKFLOW.to) files[path] = renderOidcWorkflow(images);
  // Of what is generated, tables show what it is now.
  const current: ReadText = (path) => files[path] ?? read(path);
  return { ...files, ...renderMarkedPages(commands, current), ...renderPictures(read) };
};
