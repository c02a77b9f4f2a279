import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { BUILDER_CAPABILITIES } from '../../integration/images/nix-ssh-kit.ts';
import { ROOT } from '../../support/root.ts';
import { readYamlTexts } from '../../support/yaml.ts';

// The examples beside the images with Nix: no engine is here, so the fields that matter are looked at.

const example = (name: string): Promise<string> => readFile(join(ROOT, 'nix/images/examples', name), 'utf8');

const mounts = z.array(
  z.strictObject({
    name: z.string(),
    mountPath: z.string().startsWith('/'),
    subPath: z.string().optional(),
    readOnly: z.literal('true').optional(),
  }),
);
const restricted = {
  allowPrivilegeEscalation: z.literal('false'),
  seccompProfile: z.strictObject({ type: z.literal('RuntimeDefault') }),
};
const metadata = z.strictObject({ name: z.string() });

test('Kubernetes: the store is filled before it is served, with the capabilities that were tried', async () => {
  const [deployment, claim, service] = readYamlTexts(await example('kubernetes.yaml'));
  const labels = z.strictObject({ app: z.string() });
  const { spec } = z
    .strictObject({
      apiVersion: z.literal('apps/v1'),
      kind: z.literal('Deployment'),
      metadata,
      spec: z.strictObject({
        replicas: z.literal('1'),
        strategy: z.strictObject({ type: z.literal('Recreate') }),
        selector: z.strictObject({ matchLabels: labels }),
        template: z.strictObject({
          metadata: z.strictObject({ labels }),
          spec: z.strictObject({
            automountServiceAccountToken: z.literal('false'),
            initContainers: z.tuple([
              z.strictObject({
                name: z.string(),
                image: z.string(),
                args: z.tuple([z.literal('fill')]),
                volumeMounts: mounts,
              }),
            ]),
            containers: z.tuple([
              z.strictObject({
                name: z.string(),
                image: z.string(),
                ports: z.tuple([z.strictObject({ containerPort: z.literal('22') })]),
                readinessProbe: z.strictObject({
                  exec: z.strictObject({ command: z.tuple([z.literal('/lib/nix-ssh/healthy')]) }),
                  periodSeconds: z.string(),
                }),
                securityContext: z.strictObject({
                  ...restricted,
                  readOnlyRootFilesystem: z.literal('true'),
                  capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]), add: z.array(z.string()) }),
                }),
                volumeMounts: mounts,
              }),
            ]),
            volumes: z.array(z.looseObject({ name: z.string() })),
          }),
        }),
      }),
    })
    .parse(deployment);
  const { initContainers, containers, volumes } = spec.template.spec;
  const [[fill], [server]] = [initContainers, containers];
  expect(spec.template.metadata.labels).toEqual(spec.selector.matchLabels);
  expect(fill.image).toBe(server.image);
  expect(fill.volumeMounts).toEqual([{ name: 'store', mountPath: '/mnt/nix', subPath: 'nix' }]);
  expect(server.volumeMounts).toContainEqual({ name: 'store', mountPath: '/nix', subPath: 'nix' });
  const paths = server.volumeMounts.map(({ mountPath }) => mountPath).sort();
  expect(paths).toEqual(['/etc/nix-ssh', '/nix', '/run', '/tmp']);
  expect(volumes.map(({ name }) => name).sort()).toEqual(server.volumeMounts.map(({ name }) => name).sort());
  expect(volumes).toContainEqual({ name: 'store', persistentVolumeClaim: { claimName: 'nix-builder' } });
  expect(server.securityContext.capabilities.add).toEqual([...BUILDER_CAPABILITIES, 'NET_BIND_SERVICE'].sort());
  expect(claim).toMatchObject({ kind: 'PersistentVolumeClaim', metadata: { name: 'nix-builder' } });
  expect(service).toMatchObject({ kind: 'Service', spec: { selector: spec.selector.matchLabels } });
});

test('Tekton: a user that is not root, of the group that may write to the store', async () => {
  const [task] = readYamlTexts(await example('tekton-task.yaml'));
  const step = z.strictObject({
    name: z.string(),
    image: z.string().includes('/nix-user:'),
    workingDir: z.literal('$(workspaces.source.path)'),
    script: z.string().startsWith('#!/bin/sh\n').includes('nix build --no-link'),
    securityContext: z.strictObject({
      ...restricted,
      runAsNonRoot: z.literal('true'),
      runAsUser: z.literal('1000'),
      runAsGroup: z.literal('0'),
      capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]) }),
    }),
  });
  z.strictObject({
    apiVersion: z.literal('tekton.dev/v1'),
    kind: z.literal('Task'),
    metadata,
    spec: z.strictObject({
      workspaces: z.tuple([z.strictObject({ name: z.literal('source') })]),
      steps: z.tuple([step]),
    }),
  }).parse(task);
});

test('GitLab and devcontainers name the image and only what is in it', async () => {
  const [pipeline] = readYamlTexts(await example('gitlab-ci.yml'));
  const image = z.string().endsWith('/nix:latest');
  z.strictObject({ build: z.strictObject({ image, script: z.array(z.string().startsWith('nix build')) }) }).parse(
    pipeline,
  );
  z.strictObject({
    name: z.string(),
    image,
    overrideCommand: z.literal(true),
    init: z.literal(true),
    remoteUser: z.literal('root'),
    mounts: z.tuple([z.string().regex(/^source=\w+,target=\/nix,type=volume$/)]),
  }).parse(JSON.parse(await example('devcontainer.json')));
});
