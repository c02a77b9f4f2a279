import { expect, test } from 'vitest';
import { askedLines, parseAccessTokens, parseConfigLine, parseSubstituter } from '../../../src/machine/asked-config.ts';

const NOTHING = {
  nixConfig: [],
  acceptFlakeConfig: false,
  substituters: [],
  trustedPublicKeys: [],
  accessTokens: undefined,
  netrcFile: undefined,
};

test('nothing is set where nothing is asked for', () => {
  expect(askedLines(NOTHING)).toEqual([]);
});

test('what is asked for is added to what the machine has', () => {
  const lines = askedLines({
    nixConfig: ['sandbox = true'],
    acceptFlakeConfig: true,
    substituters: ['https://acme.cachix.org', 'https://attic.example.com/acme'],
    trustedPublicKeys: ['acme.cachix.org-1:abc='],
    accessTokens: 'github.com=ghp_1\ngitlab.com=PAT:glpat-2',
    netrcFile: '/temp/netrc',
  });
  expect(lines).toEqual([
    'sandbox = true',
    'accept-flake-config = true',
    'extra-substituters = https://acme.cachix.org https://attic.example.com/acme',
    'extra-trusted-public-keys = acme.cachix.org-1:abc=',
    'extra-access-tokens = github.com=ghp_1 gitlab.com=PAT:glpat-2',
    'netrc-file = /temp/netrc',
  ]);
});

test.each(['sandbox = true', 'cores=2', 'include ./more.conf'])('%j is a line of nix.conf', (line) => {
  expect(parseConfigLine(line)).toBe(line);
});

test.each(['sandbox', '--option x', '= 3'])('%j is not', (line) => {
  expect(() => parseConfigLine(line)).toThrow('is not a line of nix.conf');
});

test.each([
  ['acme.cachix.org', 'is not a URL'],
  ['https://a https://b', 'white space'],
  ['https://bob:s3cret@cache.example.com', 'has a password in it'],
])('the substituter %j is refused', (given, message) => {
  const fails = () => parseSubstituter(given);
  expect(fails).toThrow(message);
  expect(fails).not.toThrow('s3cret');
});

test('a token without its host is refused, and not quoted', () => {
  const fails = () => parseAccessTokens('github.com=x s3cret');
  expect(fails).toThrow('access-tokens: entry 2 is not HOST=TOKEN');
  expect(fails).not.toThrow('s3cret');
});
