import { describe, expect, test } from 'vitest';
import { proxyFor, withoutPassword } from '../../src/kube/access/proxy.ts';

const SERVER = 'https://api.example.com:6443';
const PROXY = 'http://proxy:3128';

describe('the proxy of a server', () => {
  test.each<[string, string | undefined, Record<string, string>, string | undefined]>([
    ['none', undefined, {}, undefined],
    ['of the kubeconfig, whatever the environment says', PROXY, { NO_PROXY: '*', HTTPS_PROXY: 'http://other' }, PROXY],
    ['HTTPS_PROXY', undefined, { HTTPS_PROXY: PROXY }, PROXY],
    ['in small letters', undefined, { https_proxy: PROXY }, PROXY],
    ['without a scheme', undefined, { HTTPS_PROXY: 'proxy:3128' }, PROXY],
    ['HTTP_PROXY is not for https', undefined, { HTTP_PROXY: PROXY }, undefined],
    ['NO_PROXY *', undefined, { HTTPS_PROXY: PROXY, NO_PROXY: '*' }, undefined],
    ['NO_PROXY with the name', undefined, { HTTPS_PROXY: PROXY, NO_PROXY: 'a, api.example.com' }, undefined],
    ['NO_PROXY with the domain', undefined, { HTTPS_PROXY: PROXY, no_proxy: 'example.com' }, undefined],
    [
      'NO_PROXY with the domain, for subdomains',
      undefined,
      { HTTPS_PROXY: PROXY, NO_PROXY: '.example.com' },
      undefined,
    ],
    ['NO_PROXY with the port', undefined, { HTTPS_PROXY: PROXY, NO_PROXY: 'example.com:6443' }, undefined],
    ['NO_PROXY with another port', undefined, { HTTPS_PROXY: PROXY, NO_PROXY: 'example.com:443' }, PROXY],
    ['NO_PROXY with a name that only ends alike', undefined, { HTTPS_PROXY: PROXY, NO_PROXY: 'ple.com' }, PROXY],
  ])('%s', (_what, proxyUrl, env, url) => {
    expect(proxyFor(SERVER, proxyUrl, env)?.url).toBe(url);
  });

  test.each(['jane:s3cret@', 'http://', 'ftp://jane:s3cret@proxy', 'http://proxy:s3cret'])(
    'a variable that is no URL of a proxy is named, and not told: %s',
    (value) => {
      const refusal = (env: Record<string, string>) => {
        try {
          return proxyFor(SERVER, undefined, env);
        } catch (error) {
          return error;
        }
      };
      const error = refusal({ https_proxy: value });
      expect(error).toMatchObject({ code: 'Usage', message: expect.stringContaining('the variable https_proxy ') });
      expect(JSON.stringify(error) + String(error)).not.toContain('s3cret');
      expect(refusal({ HTTPS_PROXY: value, NO_PROXY: 'example.com' })).toBeUndefined();
    },
  );

  test.each([
    ['https://10.1.2.3', '10.0.0.0/8', false],
    ['https://10.1.2.3', '10.2.0.0/16', true],
    ['https://10.1.2.3', '10.1.2.3', false],
    ['https://[2001:db8::7]:6443', '2001:DB8:0::7', false],
    ['https://[2001:db8::7]:6443', '2001:db8::/32', false],
    ['https://127.0.0.1:6443', '', false],
    ['https://localhost:6443', '', false],
    ['https://[::1]:6443', '', false],
  ])('%s with NO_PROXY=%s: proxied %s', (server, list, proxied) => {
    expect(proxyFor(server, undefined, { HTTPS_PROXY: PROXY, NO_PROXY: list }) !== undefined).toBe(proxied);
  });

  test('is shown without its password', () => {
    expect(withoutPassword('http://jane:s3cret@proxy:3128')).toBe('http://proxy:3128');
    expect(withoutPassword(SERVER)).toBe(SERVER);
  });
});
