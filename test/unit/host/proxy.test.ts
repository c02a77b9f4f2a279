import { describe, expect, it } from 'vitest';
import { proxyOfEnvironment, proxySecrets } from '../../../src/host/proxy.ts';

type Variables = Readonly<Record<string, string>>;

const choose = (url: string, variables: Variables): string | undefined =>
  proxyOfEnvironment((name) => variables[name] || undefined)(new URL(url))?.href;

const BOTH: Variables = { HTTPS_PROXY: 'http://secure.proxy:3128', HTTP_PROXY: 'plain.proxy' };

describe('the proxy of a URL', () => {
  it.each<[string, string, Variables, string | undefined]>([
    ['https', 'https://ghcr.io/v2/', BOTH, 'http://secure.proxy:3128/'],
    ['http, without a scheme', 'http://registry.lan/', BOTH, 'http://plain.proxy/'],
    ['lower case', 'http://registry.lan/', { http_proxy: 'http://p:1' }, 'http://p:1/'],
    [
      'upper case first',
      'https://ghcr.io/',
      { HTTPS_PROXY: 'http://up:1', https_proxy: 'http://low:1' },
      'http://up:1/',
    ],
    ['none', 'https://ghcr.io/', {}, undefined],
    ['not that of the other protocol', 'https://ghcr.io/', { HTTP_PROXY: 'http://p:1' }, undefined],
    ['not ALL_PROXY, as in Go', 'https://ghcr.io/', { ALL_PROXY: 'socks5://p:1' }, undefined],
    ['not HTTP_PROXY in CGI', 'http://registry.lan/', { HTTP_PROXY: 'http://p:1', REQUEST_METHOD: 'GET' }, undefined],
    ['never for localhost', 'http://localhost:5000/', BOTH, undefined],
    ['never for names below it', 'http://a.localhost:5000/', BOTH, undefined],
    ['never for 127.0.0.0/8', 'https://127.9.9.9/', BOTH, undefined],
    ['never for ::1', 'https://[::1]:5000/', BOTH, undefined],
    ['https proxies', 'https://ghcr.io/', { HTTPS_PROXY: 'https://u:p@p:8443' }, 'https://u:p@p:8443/'],
  ])('%s: %s', (_name, url, variables, expected) => {
    expect(choose(url, variables)).toBe(expected);
  });

  it.each([
    ['socks5://h:1', 'socks5://h:1', /not an HTTP proxy/],
    ['http://u:secret@', 'HTTPS_PROXY', /is not the URL/],
    ['http://u:secret@h:99999', 'HTTPS_PROXY', /is not the URL/],
    ['socks5://u:secret@h:1', 'HTTPS_PROXY', /not an HTTP proxy/],
  ])('%s is refused without its password', (value, part, message) => {
    const ask = () => choose('https://ghcr.io/', { HTTPS_PROXY: value });
    expect(ask).toThrow(expect.objectContaining({ code: 'input', message: expect.stringMatching(message) }));
    expect(ask).toThrow(part);
    expect(ask).not.toThrow(/secret/);
  });
});

// As Go's golang.org/x/net/http/httpproxy has it, item by item.
describe('NO_PROXY', () => {
  it.each([
    ['example.com', 'https://example.com/', true],
    ['example.com', 'https://a.b.example.com/', true],
    ['example.com', 'https://notexample.com/', false],
    ['.example.com', 'https://a.example.com/', true],
    ['.example.com', 'https://example.com/', false],
    ['*.example.com', 'https://a.example.com/', true],
    ['*.example.com', 'https://example.com/', false],
    ['EXAMPLE.com', 'https://Example.COM/', true],
    ['example.com', 'https://example.com./', true],
    ['example.com:443', 'https://example.com/', true],
    ['example.com:8443', 'https://example.com/', false],
    ['example.com:8443', 'https://a.example.com:8443/', true],
    ['other, example.com ,x', 'https://example.com/', true],
    ['a,*', 'https://anything.else/', true],
    ['10.0.0.0/8', 'https://10.1.2.3:5000/', true],
    ['10.0.0.0/8', 'https://11.1.2.3/', false],
    ['10.0.0.0/8', 'https://example.com/', false],
    ['10.0.0.0/99', 'https://10.1.2.3/', false],
    ['fd00::/8', 'https://[fd12::1]/', true],
    ['192.168.1.1', 'https://192.168.1.1:5000/', true],
    ['192.168.1.1:5000', 'https://192.168.1.1/', false],
    ['192.168.1.1', 'https://192.168.1.10/', false],
    ['[fd12::1]:443', 'https://[fd12::1]/', true],
    ['fd12::1', 'https://[fd12::1]/', true],
    [',,:80,', 'https://example.com/', false],
  ])('%s and %s: direct is %s', (noProxy, url, isDirect) => {
    expect(choose(url, { ...BOTH, no_proxy: noProxy }) === undefined).toBe(isDirect);
  });
});

it('passwords of proxies are secrets, as written and as meant', () => {
  const env = (name: string) =>
    ({ HTTPS_PROXY: 'http://u:pa%3Ass@h:1', http_proxy: 'v:other@h', ALL_PROXY: 'h:1' })[name];
  expect(proxySecrets(env)).toEqual(['pa%3Ass', 'pa:ss', 'other', 'other']);
});
