const PROXY_PROTOCOLS = ['http:', 'https:', 'socks:', 'socks5:', 'socks5h:', 'socks4:', 'socks4a:'];

/** Whether a text is the URL of a proxy, with a host. */
export function isProxyUrl(text: string): boolean {
  return isUrl(text, PROXY_PROTOCOLS);
}

/** @param protocols with their colon */
export function isUrl(text: string, protocols: readonly string[]): boolean {
  return URL.canParse(text) && protocols.includes(new URL(text).protocol) && new URL(text).hostname !== '';
}
