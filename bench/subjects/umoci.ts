import { join } from 'node:path';
import type { Subject } from './subject.ts';

/** An image of one layer with umoci, which does not push, and skopeo's copy of it. */
export const umoci = (version: string): Subject => ({
  name: `umoci ${version}, add-layer + skopeo, gzip`,
  kind: 'peer',
  codec: 'gzip',
  version: `umoci ${version}`,
  once: true,
  cases: ['cold'],
  input: 'tar',
  commands: ({ inputs, reference, scratch }) => {
    const layout = join(scratch, 'layout');
    const image = `${layout}:latest`;
    return [
      { program: 'umoci', args: ['init', '--layout', layout] },
      { program: 'umoci', args: ['new', '--image', image] },
      { program: 'umoci', args: ['raw', 'add-layer', '--image', image, inputs.tar] },
      {
        program: 'skopeo',
        args: [
          '--insecure-policy',
          'copy',
          '--quiet',
          '--dest-tls-verify=false',
          `oci:${image}`,
          `docker://${reference}`,
        ],
      },
    ];
  },
});
