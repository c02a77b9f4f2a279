import { expect, test } from 'vitest';
import { type ConfigMap, type CronJob, utilityExamples } from '../../integration/images/utility-examples.ts';

// The examples in the readme, as far as they can be judged without a cluster; test/integration/images/utility runs them.

test('the CronJob is what the Pod Security Standard "restricted" asks for, and names what is there', async () => {
  const [configMap, cronJob] = (await utilityExamples()) as [ConfigMap, CronJob, unknown];
  expect(configMap).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'chores' } });
  expect(cronJob).toMatchObject({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    spec: { schedule: '17 3 * * *', jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never' } } } } },
  });
  const { spec } = cronJob.spec.jobTemplate.spec.template;
  expect(spec.securityContext).toEqual({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
  for (const { securityContext, volumeMounts, args, env } of spec.containers) {
    expect(securityContext).toMatchObject({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } });
    for (const { name } of volumeMounts) expect(spec.volumes.map((volume) => volume.name)).toContain(name);
    const { justfile } = configMap.data;
    for (const recipe of args) expect(justfile).toMatch(new RegExp(`^${recipe}:$`, 'm'));
    const named = new Set(env.map(({ name }) => name));
    for (const [, variable = ''] of justfile.matchAll(/\$(\w+)/g)) expect(named).toContain(variable);
  }
});

test('compose has the same rights', async () => {
  expect((await utilityExamples())[2]).toMatchObject({
    services: {
      chores: {
        command: ['backup', 'test', 'healthcheck-io'],
        read_only: true,
        tmpfs: ['/tmp:mode=1777'],
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      },
    },
  });
});
