import ipaddr from 'ipaddr.js';
import { MeshctlError } from '../../mesh/errors.ts';
import { isProxyUrl } from './proxy-url.ts';

export interface ServerProxy {
  url: string;
  /** Where it is set, for messages: `proxy-url in the kubeconfig`, `HTTPS_PROXY`. */
  setBy: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy by which a server is reached, as kubectl decides it: the kubeconfig's proxy-url, else HTTPS_PROXY or for plain
 * HTTP HTTP_PROXY, unless NO_PROXY has the host (golang.org/x/net/http/httpproxy). Loopback is never proxied.
 * @throws MeshctlError `Usage` for a variable that is no URL; its value, in which a password may be, is not told
 */
export function proxyFor(server: string, proxyUrl: string | undefined, env: Environment): ServerProxy | undefined {
  if (proxyUrl) return { url: proxyUrl, setBy: 'proxy-url in the kubeconfig' };
  const { protocol, hostname, port } = new URL(server);
  const variable = protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const setBy = env[variable] ? variable : variable.toLowerCase();
  const value = env[setBy];
  if (!value) return undefined;
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const exempt = isLoopback(host) || noProxy(host, port || (protocol === 'https:' ? '443' : '80'), env);
  if (exempt) return undefined;
  const url = value.includes('://') ? value : `http://${value}`;
  if (isProxyUrl(url)) return { url, setBy };
  throw new MeshctlError('Usage', `the variable ${setBy} is not an http, https or socks5 URL`, {
    hint: `Write it like http://proxy.example.com:3128, unset it, or name ${hostname} in NO_PROXY.`,
  });
}

/** A URL without the user and the password in it, for messages. */
export function withoutPassword(url: string): string {
  if (!URL.canParse(url)) return url;
  const parsed = new URL(url);
  if (parsed.username === '' && parsed.password === '') return url;
  parsed.username = '';
  parsed.password = '';
  return parsed.href.replace(/\/$/, '');
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || (ipaddr.isValid(host) && ipaddr.parse(host).range() === 'loopback');
}

/** Entries: `*`, a CIDR, an address or a name with or without a port; a name is for its subdomains too, `.name` for them alone. */
function noProxy(host: string, port: string, env: Environment): boolean {
  const entries = (env.NO_PROXY || env.no_proxy || '').split(',').map((entry) => entry.trim().toLowerCase());
  return entries.some((entry) => {
    if (entry === '') return false;
    if (entry === '*') return true;
    if (ipaddr.isValidCIDR(entry)) return ipaddr.isValid(host) && inCidr(host, entry);
    const [, name = entry, entryPort] = /^(\[[^\]]+\]|[^:]+):(\d+)$/.exec(entry) ?? [];
    if (entryPort !== undefined && entryPort !== port) return false;
    const wanted = name.replace(/^\[|\]$/g, '').replace(/^\*\./, '.');
    if (ipaddr.isValid(host) && ipaddr.isValid(wanted)) {
      return ipaddr.parse(host).toNormalizedString() === ipaddr.parse(wanted).toNormalizedString();
    }
    return wanted.startsWith('.') ? host.endsWith(wanted) : host === wanted || host.endsWith(`.${wanted}`);
  });
}

function inCidr(host: string, cidr: string): boolean {
  const [network, bits] = ipaddr.parseCIDR(cidr);
  const address = ipaddr.parse(host);
  return address.kind() === network.kind() && address.match(network, bits);
}
