import { constants, createDeflate, createInflate } from 'node:zlib';

// The dictionary that SPDY/3 fixes for its header compression: names with their length, then common values.
const DICTIONARY_NAMES = [
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow',
  'authorization cache-control connection content-base content-encoding content-language content-length content-location',
  'content-md5 content-range content-type date etag expect expires from host if-match if-modified-since if-none-match',
  'if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization range',
  'referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method',
  'get status 200_OK version HTTP/1.1 url public set-cookie keep-alive origin',
];
const DICTIONARY_TEXT = [
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505',
  '203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden',
  '404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable',
  'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT',
  'chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,',
  'publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.',
];

function withLength(text: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(text));
  return Buffer.concat([length, Buffer.from(text)]);
}

function dictionary(): Buffer {
  const names = DICTIONARY_NAMES.join(' ')
    .split(' ')
    .map((name) => name.replace('_', ' '));
  return Buffer.concat([...names.map(withLength), Buffer.from(DICTIONARY_TEXT.join(''))]);
}

/** The header blocks of one connection: each direction is one compressed stream, so blocks are coded in order. */
export interface HeaderCoder {
  decode(block: Buffer): Promise<Map<string, string>>;
  encode(headers: ReadonlyMap<string, string>): Promise<Buffer>;
  close(): void;
}

export function createHeaderCoder(): HeaderCoder {
  const inflate = createInflate({ dictionary: dictionary(), finishFlush: constants.Z_SYNC_FLUSH });
  const deflate = createDeflate({ dictionary: dictionary() });
  return {
    decode: async (block) => {
      await new Promise<void>((resolve, reject) => {
        inflate.once('error', reject);
        inflate.write(block, () => {
          inflate.off('error', reject);
          resolve();
        });
      });
      return parseHeaders((inflate.read() as Buffer | null) ?? Buffer.alloc(4));
    },
    encode: async (headers) => {
      const count = Buffer.alloc(4);
      count.writeUInt32BE(headers.size);
      deflate.write(
        Buffer.concat([count, ...[...headers].flatMap(([name, value]) => [withLength(name), withLength(value)])]),
      );
      await new Promise<void>((resolve) => deflate.flush(constants.Z_SYNC_FLUSH, resolve));
      return (deflate.read() as Buffer | null) ?? Buffer.alloc(0);
    },
    close: () => {
      inflate.destroy();
      deflate.destroy();
    },
  };
}

function parseHeaders(bytes: Buffer): Map<string, string> {
  const headers = new Map<string, string>();
  let offset = 4;
  const next = (): string => {
    const length = bytes.readUInt32BE(offset);
    const text = bytes.toString('utf8', offset + 4, offset + 4 + length);
    offset += 4 + length;
    return text;
  };
  for (let left = bytes.readUInt32BE(0); left > 0; left -= 1) headers.set(next(), next());
  return headers;
}
