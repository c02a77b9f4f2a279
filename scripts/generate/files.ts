import { SCHEMA_VERSION } from '../../src/definition/definition.ts';
import type { Command } from '../../src/host/command.ts';
import { PLAN_VERSION } from '../../src/plan/plan.ts';
import { renderActionEntry, renderActionReadme, renderActionYaml, renderCommandTable } from './action.ts';
import { renderCliPage } from './cli-page.ts';
import { replaceGenerated } from './markdown.ts';
import { renderRootAction } from './root-action.ts';
import { renderDefinitionSchema, renderPlanSchema } from './schema.ts';

/** Files by their path from the project's root. */
export type Files = Readonly<Record<string, string>>;

/** Everything that is generated from the source. `readme` is README.md as it stands; undefined while there is none. */
export const renderFiles = (commands: readonly Command[], readme: string | undefined): Files => {
  const files: Record<string, string> = {
    'docs/cli.md': renderCliPage(commands),
    [`nix/schema/image-definition.v${SCHEMA_VERSION}.json`]: renderDefinitionSchema(),
    [`nix/schema/plan.v${PLAN_VERSION}.json`]: renderPlanSchema(),
  };
  for (const command of commands) {
    files[`actions/${command.name}/action.yml`] = renderActionYaml(command);
    files[`actions/${command.name}/README.md`] = renderActionReadme(command);
    files[`actions/${command.name}/main.mjs`] = renderActionEntry(command);
  }
  const [publish, plan] = ['publish', 'plan'].map((wanted) => commands.find(({ name }) => name === wanted));
  if (publish && plan) files['actions/root/action.yml'] = renderRootAction(publish, plan);
  if (readme !== undefined) files['README.md'] = replaceGenerated(readme, 'commands', renderCommandTable(commands));
  return files;
};
