import { z } from 'zod';

const nanoseconds = z.int().nonnegative();

const healthcheckSchema = z.strictObject({
  Test: z.array(z.string()).optional(),
  Interval: nanoseconds.optional(),
  Timeout: nanoseconds.optional(),
  StartPeriod: nanoseconds.optional(),
  StartInterval: nanoseconds.optional(),
  Retries: z.int().nonnegative().optional(),
});

const emptyObjects = (key: RegExp, what: string) => z.record(z.string().regex(key, what), z.strictObject({}));

/** A port with its protocol; spelt out for the JSON schema, which has no numbers for names. */
const PORT = /^([1-9]\d{0,3}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])(\/(tcp|udp|sctp))?$/;

/** OCI image-spec, `config.md`, object `config`, with Docker's Healthcheck; dockerTools takes the same. */
export const containerConfigSchema = z.strictObject({
  Entrypoint: z.array(z.string()).nullable().optional(),
  Cmd: z.array(z.string()).nullable().optional(),
  Env: z.array(z.string().regex(/^[^=\0]+=[^\0]*$/, 'expected NAME=value')).optional(),
  User: z.string().optional(),
  WorkingDir: z
    .string()
    .regex(/^(\/|$)/, 'expected an absolute path such as /srv')
    .optional(),
  Labels: z.record(z.string(), z.string()).optional(),
  ExposedPorts: emptyObjects(
    PORT,
    'expected a port from 1 to 65535, such as 8080/tcp or 53/udp; OCI has no ranges, so name each port',
  ).optional(),
  Volumes: emptyObjects(/^\//, 'expected an absolute path such as /data').optional(),
  StopSignal: z.string().optional(),
  Healthcheck: healthcheckSchema.optional(),
  // Docker's own; OCI's clients pass over them, and `docker build` and `docker run` obey them.
  Shell: z.array(z.string()).optional(),
  OnBuild: z.array(z.string()).optional(),
  StopTimeout: z.int().nonnegative().optional(),
  Hostname: z.string().optional(),
  Domainname: z.string().optional(),
  AttachStdin: z.boolean().optional(),
  AttachStdout: z.boolean().optional(),
  AttachStderr: z.boolean().optional(),
  Tty: z.boolean().optional(),
  OpenStdin: z.boolean().optional(),
  StdinOnce: z.boolean().optional(),
  ArgsEscaped: z.boolean().optional(),
  NetworkDisabled: z.boolean().optional(),
  MacAddress: z.string().optional(),
});

export type ContainerConfig = z.infer<typeof containerConfigSchema>;
