import { z } from 'zod';
import type { OciPlatform } from './descriptor.ts';

/** The systems images are built for, in Nix's words. */
export const SYSTEMS = ['x86_64-linux', 'aarch64-linux'] as const;

export type System = (typeof SYSTEMS)[number];

export const systemSchema = z.enum(SYSTEMS);

// No `variant` for arm64: v8 is the default and both containerd and Go's toolchain normalise it away.
const PLATFORM: Record<System, OciPlatform> = {
  'x86_64-linux': { architecture: 'amd64', os: 'linux' },
  'aarch64-linux': { architecture: 'arm64', os: 'linux' },
};

export const isSystem = (text: string): text is System => (SYSTEMS as readonly string[]).includes(text);

export const platformOf = (system: System): OciPlatform => PLATFORM[system];

/** `linux/amd64`, as docker and podman spell it. */
export const platformText = (platform: OciPlatform): string =>
  [platform.os, platform.architecture, ...(platform.variant ? [platform.variant] : [])].join('/');
