import { describe, expect, test } from 'vitest';
import { UserError } from '../../../src/core/error.ts';
import { asUserError, describeFailure, REPORT_HINT, renderFailure } from '../../../src/host/failure.ts';

const render = (error: unknown) => renderFailure(describeFailure(error));

describe('a failure that can be mended', () => {
  test.each<[string, unknown, string[]]>([
    ['message alone', new UserError('file', 'no such file'), ['error: no such file']],
    ['with hint', new UserError('file', 'a', { hint: 'do b' }), ['error: a', 'hint: do b']],
    ['with a page', new UserError('file', 'a', { docs: 'b.md#c' }), ['error: a', 'See docs/b.md#c']],
    [
      'with a page behind the hint',
      new UserError('file', 'a', { docs: 'b.md', hint: 'do c' }),
      ['error: a', 'hint: do c', 'See docs/b.md'],
    ],
    [
      'several lines are set in',
      new UserError('build', 'a\nb', { hint: 'c\nd' }),
      ['error: a', '  b', 'hint: c', '  d'],
    ],
    [
      'causes, outermost first, first line each',
      new UserError('registry', 'a', { cause: new Error('b\nmore', { cause: new Error('c') }), hint: 'h' }),
      ['error: a', 'cause: b', 'cause: c', 'hint: h'],
    ],
    [
      'a cause that the message tells already',
      new UserError('file', 'x: b', { cause: new Error('b') }),
      ['error: x: b'],
    ],
    ['a cause that is no error', new UserError('file', 'a', { cause: 'text' }), ['error: a', 'cause: text']],
    [
      'attempts that failed together',
      new UserError('registry', 'a', { cause: new AggregateError([new Error('refused'), new Error('refused too')]) }),
      ['error: a', 'cause: refused'],
    ],
  ])('%s', (_name, error, expected) => {
    expect(render(error)).toEqual(expected);
  });

  test('a cause is cut, and there are at most five', () => {
    let error = new Error('x'.repeat(1000));
    for (let depth = 0; depth < 9; depth += 1) error = new Error(`depth ${depth}`, { cause: error });
    expect(render(new UserError('file', 'a', { cause: error }))).toHaveLength(6);
    const long = render(new UserError('file', 'a', { cause: new Error('x'.repeat(1000)) }));
    expect(long[1]?.length).toBeLessThan(320);
  });

  test('a circle of causes ends', () => {
    const error = new Error('a');
    error.cause = error;
    expect(render(new UserError('file', 'b', { cause: error }))).toEqual(['error: b', 'cause: a']);
  });
});

describe('a bug', () => {
  test('shows its stack and asks to be reported', () => {
    const lines = render(new TypeError('x is not a function'));
    expect(lines[0]).toBe('bug: TypeError: x is not a function');
    expect(lines[1]).toMatch(/^ {6}at .*failure\.test\.ts/);
    expect(lines.at(-1)).toBe(`hint: ${REPORT_HINT}`);
  });

  test('may be anything that was thrown', () => {
    expect(render('text')).toEqual(['bug: text', `hint: ${REPORT_HINT}`]);
    expect(render(undefined)).toEqual(['bug: undefined', `hint: ${REPORT_HINT}`]);
  });
});

describe('what stands for a UserError', () => {
  const systemError = (code: string) => Object.assign(new Error(`${code}: refused`), { code, syscall: 'write' });

  test.each(['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM', 'EROFS', 'EMFILE'])('%s of the file system', (code) => {
    expect(asUserError(systemError(code))).toMatchObject({ code: 'file', message: `${code}: refused` });
  });

  test('other errors stay what they are', () => {
    const own = new UserError('digest', 'x');
    const absent = systemError('ENOENT');
    expect(asUserError(own)).toBe(own);
    expect(asUserError(absent)).toBe(absent);
    expect(asUserError(Object.assign(new Error('no syscall'), { code: 'ENOSPC' }))).not.toBeInstanceOf(UserError);
  });

  test('an abort is a cancellation only when the signal fired', () => {
    const controller = new AbortController();
    const abort = Object.assign(new Error('aborted'), { name: 'AbortError' });
    expect(asUserError(abort, controller.signal)).toBe(abort);
    controller.abort();
    expect(asUserError(abort, controller.signal)).toMatchObject({ code: 'cancelled' });
    expect(asUserError(controller.signal.reason, controller.signal)).toMatchObject({ code: 'cancelled' });
  });
});
