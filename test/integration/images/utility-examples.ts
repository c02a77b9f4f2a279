import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from '../../support/root.ts';
import { readYamlDocuments } from '../../support/yaml.ts';

export interface ConfigMap {
  readonly data: { readonly justfile: string };
}

export interface CronJob {
  readonly spec: { readonly jobTemplate: { readonly spec: { readonly template: { readonly spec: PodSpec } } } };
}

interface PodSpec {
  readonly securityContext: unknown;
  readonly volumes: readonly { readonly name: string }[];
  readonly containers: readonly [Container, ...Container[]];
}

interface Container {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext: unknown;
  readonly volumeMounts: readonly { readonly name: string }[];
}

/** The documents in YAML of the readme: a ConfigMap, a CronJob and a file of compose. */
export async function utilityExamples(): Promise<unknown[]> {
  const text = await readFile(join(ROOT, 'nix/images/utility.md'), 'utf8');
  return [...text.matchAll(/^```yaml other\n([\s\S]*?)^```$/gm)].flatMap(([, yaml = '']) => readYamlDocuments(yaml));
}
