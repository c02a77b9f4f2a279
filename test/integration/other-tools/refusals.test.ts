import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cliData, type Published, runCli } from '../../support/cli.ts';
import { configOf, digest, dockerArchive, type Member, manifestOf, tarBytes } from '../../support/docker-archive.ts';
import { ROOT } from '../../support/root.ts';
import { ONLY_X86 } from '../../support/systems.ts';
import { type TempDir, uniqueTempDir } from '../../support/tools.ts';

let temp: TempDir;

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const layer = tarBytes([{ name: 'file', content: Buffer.from('content\n') }]);
const other = `sha256:${'1'.repeat(64)}`;
const OTHER = /1{64}/;
const good = dockerArchive([layer]);
const without = (name: string): Member[] => good.filter((member) => member.name !== name);
const blob = (bytes: Uint8Array): Member => ({ name: `blobs/sha256/${digest([bytes]).slice(7)}`, content: bytes });

/** An OCI layout in a tar with one layer, whatever its descriptor says. */
const layout = (bytes: Uint8Array, mediaType: string, diffId: string): Buffer => {
  const config = configOf([diffId]);
  const of = (type: string, content: Uint8Array) => ({
    mediaType: type,
    digest: digest([content]),
    size: content.length,
  });
  const manifest = json({
    schemaVersion: 2,
    config: of('application/vnd.oci.image.config.v1+json', config),
    layers: [of(mediaType, bytes)],
  });
  const index = { schemaVersion: 2, manifests: [of('application/vnd.oci.image.manifest.v1+json', manifest)] };
  return tarBytes([
    { name: 'oci-layout', content: json({ imageLayoutVersion: '1.0.0' }) },
    { name: 'index.json', content: json(index) },
    ...[bytes, config, manifest].map(blob),
  ]);
};

const GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip';
const list = (layers: readonly unknown[], more = {}): Buffer =>
  json({ version: 1, 'image-config': {}, layers, arch: 'amd64', ...more });

const REFUSED: readonly (readonly [string, string, Uint8Array, RegExp])[] = [
  ['an archive that is cut off', 'archive', tarBytes(good).subarray(0, 1500), /ends in the middle of a file/],
  ['a gzip that is cut off', 'archive', gzipSync(tarBytes(good)).subarray(0, 200), /cannot (be )?unpack/],
  ['a file that is no archive', 'archive', Buffer.from('hello '.repeat(200)), /is not a readable archive/],
  [
    'an archive without an image',
    'archive',
    tarBytes(without('manifest.json')),
    /neither manifest\.json nor oci-layout/,
  ],
  ['an archive without its config', 'archive', tarBytes(without('config.json')), /it has no config\.json/],
  [
    'an archive without a layer',
    'archive',
    tarBytes(without('layer-0/layer.tar')),
    /has no layer-0\/layer\.tar, which its manifest\.json names/,
  ],
  ['a name that leads out', 'archive', tarBytes([{ name: '../evil', content: layer }, ...good]), /leads out of it/],
  [
    'several images, none of them meant',
    'archive',
    tarBytes([
      ...without('manifest.json'),
      {
        name: 'manifest.json',
        content: json(['test/b:1', 'test/c:1'].map((tag) => manifestOf('config.json', ['layer-0/layer.tar'], [tag]))),
      },
    ]),
    /holds several images.*none of them is test\/app:1/,
  ],
  [
    'an image of another architecture',
    'archive',
    tarBytes(dockerArchive([layer], { architecture: 'arm64' })),
    /linux\/arm64, not for linux\/amd64/,
  ],
  ['a tar that is not what the config says', 'archive', tarBytes(dockerArchive([layer], { diffIds: [other] })), OTHER],
  ['a packed layer that is not what the config says', 'archive', layout(gzipSync(layer), GZIP, other), OTHER],
  [
    'a packed layer that is cut off',
    'archive',
    layout(gzipSync(layer).subarray(0, 40), GZIP, other),
    /layer 1 cannot be unpacked as gzip/,
  ],
  [
    'a layer packed with xz',
    'archive',
    layout(Buffer.from('fd377a585a0000', 'hex'), GZIP, other),
    /layer 1 is packed with xz/,
  ],
  ['a layer that is no tar', 'archive', layout(Buffer.alloc(2000, 'x'), GZIP, other), /layer 1 is no tar/],
  ['a list that is none', 'nix2container', Buffer.from('{}'), /not what nix2container's buildImage makes/],
  ['a list of a later version', 'nix2container', list([], { version: 2 }), /expected version 1/],
  [
    'a list for another architecture',
    'nix2container',
    list([], { arch: 'arm64' }),
    /linux\/arm64, not for linux\/amd64/,
  ],
  [
    'a list with a file outside the store',
    'nix2container',
    list([{ digest: other, diff_ids: other, 'layer-path': '/etc/passwd' }]),
    /\/etc\/passwd leads to \/etc\/passwd, which is not in the Nix store/,
  ],
  [
    'a list with a path outside the store',
    'nix2container',
    list([{ digest: other, diff_ids: other, paths: [{ path: '/etc' }] }]),
    /expected a path in \/nix\/store/,
  ],
  [
    'a list with an unknown permission',
    'nix2container',
    list([
      {
        digest: other,
        diff_ids: other,
        paths: [{ path: `/nix/store/${'0'.repeat(32)}-x`, options: { perms: [{ regex: '.', andMode: '0700' }] } }],
      },
    ]),
    /has the field layers\[0\]\.paths\[0\]\.options\.perms\[0\]\.andMode/,
  ],
  [
    'a script that fails',
    'stream',
    Buffer.from('#!/bin/sh\necho went wrong >&2\nexit 3\n'),
    /ended with 3; it said:\n\s+went wrong/,
  ],
  [
    'a script that looks round: its home is empty, and the environment as good as',
    'stream',
    Buffer.from(
      '#!/bin/sh\necho "$(ls -A "$HOME" | wc -l) files in $HOME, $USER$XDG_STATE_HOME$NIX_CONFIG." >&2; exit 3\n',
    ),
    /0 files in \S+\/home-\S+, \.$/m,
  ],
  ['a script that prints nothing', 'stream', Buffer.from('#!/bin/sh\n'), /printed no image/],
  [
    'a script that prints no archive',
    'stream',
    Buffer.from('#!/bin/sh\nyes | head -c 5000\n'),
    /the output of \S+ is not a readable archive/,
  ],
];

const TAKEN: readonly (readonly [string, string, Uint8Array])[] = [
  ['an archive packed with zstd', 'archive', zstdCompressSync(tarBytes(good))],
  [
    'a layer of several zstd frames',
    'archive',
    layout(
      Buffer.concat([zstdCompressSync(layer.subarray(0, 700)), zstdCompressSync(layer.subarray(700))]),
      'application/vnd.oci.image.layer.v1.tar+zstd',
      digest([layer]),
    ),
  ],
  ['a plain tar that is labelled gzip', 'archive', layout(layer, GZIP, digest([layer]))],
  [
    'an archive with packed layers',
    'archive',
    tarBytes(dockerArchive([gzipSync(layer)], { diffIds: [digest([layer])] })),
  ],
  [
    'a script that prints a packed archive',
    'stream',
    Buffer.from(`#!/bin/sh\nbase64 -d <<END\n${gzipSync(tarBytes(good)).toString('base64')}\nEND\n`),
  ],
];

const marks: Readonly<Record<string, string>> = {
  archive: '',
  stream: 'isExe = true;',
  nix2container: 'copyToRegistry = null;',
};

const ALL = [...REFUSED, ...TAKEN];
const nameOf = (what: string): string => `i${ALL.findIndex(([name]) => name === what)}`;

const attribute = ([what, kind]: readonly [string, string, ...unknown[]], system = 'x86_64-linux'): string => `
  ${nameOf(what)} = derivation {
    name = "image";
    system = "${system}";
    builder = "/bin/sh";
    args = [ "-c" "/bin/cp \${./${nameOf(what)}} $out; /bin/chmod +x $out" ];
  } // { imageName = "test/app"; imageTag = "1"; ${marks[kind]} };
`;

/** A store path through which a file of this machine can be reached. */
const LEAK = `leak = derivation {
  name = "leak"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "/bin/mkdir $out; /bin/ln -s /etc $out/link" ];
};`;

/** Bases that lead out of the store: a link in a path, one to a folder, and a path that is itself a link. */
const BASES: Readonly<Record<string, string>> = {
  baseArchive: `\${outside}/image.tar`,
  baseLayout: `\${outside}/layout`,
  baseItself: `\${outsideItself}`,
};

/** A whole image on this machine that a base must not lead to. */
const OUTSIDE = 'an archive with packed layers';

beforeAll(async () => {
  temp = await uniqueTempDir('refusals');
  await mkdir(join(temp.path, 'images'));
  for (const [what, , bytes] of ALL) await writeFile(join(temp.path, 'images', nameOf(what)), bytes);
  await symlink('/etc/passwd', join(temp.path, 'images/link'));
  const more = `
    wrongName = derivation { name = "x"; system = "x86_64-linux"; builder = "/none"; } // { imageName = "My App"; imageTag = "1"; };
    wrongTag = derivation { name = "x"; system = "x86_64-linux"; builder = "/none"; } // { imageName = "app"; imageTag = "a b"; };
    disk = derivation {
      name = "nixos"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "/bin/mkdir $out" ];
    } // { config = { }; filePath = "nixos.img"; };
    link = derivation {
      name = "link"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "/bin/ln -s /etc/passwd $out" ];
    } // { imageName = "app"; imageTag = "1"; };
    folder = derivation {
      name = "folder"; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" "/bin/mkdir $out" ];
    } // { imageName = "app"; imageTag = "1"; };
    listedLeak = derivation {
      name = "list"; system = "x86_64-linux"; builder = "/bin/sh"; inherit leak;
      args = [ "-c" "echo '\${builtins.toJSON {
        version = 1; arch = "amd64"; layers = [ { digest = "${other}"; diff_ids = "${other}"; paths = [ { path = "\${leak}/link/passwd"; } ]; } ];
      }}' > $out" ];
    } // { imageName = "app"; imageTag = "1"; copyToRegistry = null; };
    listedOther = derivation {
      name = "list"; system = "x86_64-linux"; builder = "/bin/sh"; inherit leak;
      args = [ "-c" "echo '\${builtins.toJSON {
        version = 1; arch = "amd64"; layers = [ { digest = "${other}"; diff_ids = "${other}"; paths = [ { path = "\${leak}"; } ]; } ];
      }}' > $out" ];
    } // { imageName = "app"; imageTag = "1"; copyToRegistry = null; };
    ownLeak = (import ${ROOT}/nix/lib).mkImage { name = "app"; files."/x".source = "\${leak}/link/passwd"; };
    ${Object.entries(BASES)
      .map(([name, path]) => `${name} = (import ${ROOT}/nix/lib).mkImage { name = "app"; fromImage = "${path}"; };`)
      .join('\n')}
    other = { ${attribute(['a script that fails', 'stream'], 'aarch64-linux')} };`;
  const image = join(temp.path, 'images', nameOf(OUTSIDE));
  const outside = ['outside', 'outsideItself'].map(
    (name, at) => `${name} = derivation {
      name = "base"; system = "x86_64-linux"; builder = "/bin/sh";
      args = [ "-c" "${at === 0 ? `/bin/mkdir $out; /bin/ln -s ${image} $out/image.tar; /bin/ln -s ${temp.path} $out/layout` : `/bin/ln -s ${image} $out`}" ];
    };`,
  );
  await writeFile(
    join(temp.path, 'images/default.nix'),
    `let ${LEAK} ${outside.join('\n')} in { ${ALL.map((image) => attribute(image)).join('')} ${more} }`,
  );
});

afterAll(() => temp?.remove());

const words = (name: string): string[] => ['publish', '--file', join(temp.path, 'images'), '--attr', name];

const refusal = async (name: string, more: readonly string[] = ONLY_X86): Promise<string> => {
  const to = join(temp.path, `out-${name}`);
  const { exitCode, stderr } = await runCli([...words(name), ...more, '--to', `oci:${to}:v1`]);
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/^hint: /m);
  expect(stderr).not.toMatch(/^\s+at /m);
  return stderr;
};

describe.concurrent('refused with what is wrong and where', () => {
  test.each(REFUSED)('%s', async (what, _kind, _bytes, message) => {
    expect(await refusal(nameOf(what))).toMatch(message);
  });

  test.each([
    ['wrongName', /the name "My App", which is not a valid repository name\s+hint: Name it my-app:/],
    ['wrongTag', /the tag "a b"/],
    ['disk', /cannot read \S+-nixos\/nixos\.img: no such file/],
    ['link', /leads to \/etc\/passwd, which is not in the Nix store/],
    ['listedOther', /layer 1 is sha256:[0-9a-f]{64}, but the image says sha256:1{64}/],
    ['listedLeak', /-leak\/link\/passwd leads to \/etc, which is not in the Nix store/],
    ['ownLeak', /-leak\/link\/passwd leads to \/etc, which is not in the Nix store/],
    ['folder', /not an OCI image layout/],
    ...Object.keys(BASES).map((name): [string, RegExp] => [name, /leads to \S+, which is not in the Nix store/]),
  ])('%s', async (name, message) => {
    expect(await refusal(name)).toMatch(message);
  });

  test('a script for another machine that fails', async () => {
    const message = await refusal(`other.${nameOf('a script that fails')}`, ['--system', 'aarch64-linux']);
    expect(message).toMatch(/It is a program of aarch64-linux: build the image on such a machine/);
  });
});

test.each(TAKEN)('taken: %s', async (what) => {
  const to = `oci:${join(temp.path, `out-${nameOf(what)}`)}:v1`;
  const { platforms } = await cliData<Published>([...words(nameOf(what)), ...ONLY_X86, '--to', to]);
  expect(platforms).toMatchObject([{ platform: 'linux/amd64', layers: 1 }]);
});
