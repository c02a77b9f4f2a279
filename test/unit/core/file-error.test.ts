import { describe, expect, it } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import { fileError } from '../../../src/core/file-error.ts';
import { describeNetworkError, isLastingNetworkError, networkFailure } from '../../../src/core/network-error.ts';

const systemError = (code: string): Error => Object.assign(new Error(`${code}: refused`), { code });

describe('fileError', () => {
  it.each([
    ['ENOSPC', 'no space left', 'Free space'],
    ['EACCES', 'permission denied', 'owner'],
    ['EROFS', 'read-only', 'another place'],
    ['ENOENT', 'no such file', 'path'],
    ['EWEIRD', 'EWEIRD', 'file system'],
  ])('%s names the path and what to do', (code, what, hint) => {
    expect(fileError(systemError(code), '/out/app.tar', 'write')).toMatchObject({
      code: 'file',
      message: expect.stringMatching(new RegExp(`^cannot write /out/app.tar: .*${what}`)),
      hint: expect.stringContaining(hint),
    });
  });

  it.each([
    new UserError('digest', 'x'),
    new TypeError('bug'),
    systemError('ERR_INVALID_ARG_TYPE'),
  ])('%s stays', (error) => {
    expect(fileError(error, '/x', 'read')).toBe(error);
  });
});

describe('network errors', () => {
  const failed = (cause: Error): Error => new TypeError('fetch failed', { cause });
  it.each([
    ['ENOTFOUND', true, 'Check the name'],
    ['CERT_HAS_EXPIRED', true, 'certificate'],
    ['SELF_SIGNED_CERT_IN_CHAIN', true, 'certificate'],
    ['EPROTO', true, 'plain http'],
    ['ECONNREFUSED', false, 'Nothing listens'],
    ['ECONNRESET', false, 'Check the network'],
  ])('%s', (code, isLasting, hint) => {
    const error = failed(systemError(code));
    expect(isLastingNetworkError(error)).toBe(isLasting);
    expect(describeNetworkError(error)).toContain(code);
    expect(networkFailure(error, 'GET https://h/x', 'h')).toMatchObject({
      code: 'registry',
      hint: expect.stringContaining(hint),
    });
  });

  it('several addresses that all failed show the first', () => {
    const error = failed(new AggregateError([systemError('ECONNREFUSED'), systemError('EHOSTUNREACH')]));
    expect(describeNetworkError(error)).toContain('ECONNREFUSED');
  });
});
