import { type Duplex, PassThrough } from 'node:stream';
import { createHeaderCoder } from './spdy-headers.ts';

/**
 * As much of SPDY/3.1 (draft-mbelshe-httpbis-spdy-00) as clients of exec and port-forward use: streams that the client
 * opens, data both ways, ping, goaway. Those clients keep no flow-control windows, so neither does this side.
 */
export interface SpdyStream {
  /** As sent with the stream's opening; names are in lower case. */
  headers: ReadonlyMap<string, string>;
  /** What the client sends; ends when it closes its side. */
  input: PassThrough;
  write(chunk: Buffer): void;
  /** Closes this side. */
  end(): void;
}

const VERSION = 3;
const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RST_STREAM = 3;
const PING = 6;
const GOAWAY = 7;
const FIN = 1;
const HEADER_BYTES = 8;
const LARGEST_DATA_BYTES = 16 * 1024;
const ID_MASK = 0x7fffffff;

function controlFrame(type: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(0x8000 | VERSION, 0);
  header.writeUInt16BE(type, 2);
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

function dataFrame(id: number, payload: Buffer, flags = 0): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32BE(id, 0);
  header.writeUInt32BE(payload.length, 4);
  header.writeUInt8(flags, 4);
  return Buffer.concat([header, payload]);
}

const uint32s = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
};

export interface SpdyConnection {
  /** Says goodbye and closes the socket. */
  close(): void;
}

/** Speaks the server's side of SPDY on a socket that was upgraded. `onStream` gets each stream that the client opens. */
export function serveSpdy(socket: Duplex, head: Buffer, onStream: (stream: SpdyStream) => void): SpdyConnection {
  const coder = createHeaderCoder();
  const inputs = new Map<number, PassThrough>();
  let lastStream = 0;

  const send = (frame: Buffer): void => {
    if (socket.writable) socket.write(frame);
  };
  const endInput = (id: number): void => {
    inputs.get(id)?.end();
    inputs.delete(id);
  };

  const openStream = async (payload: Buffer, flags: number): Promise<void> => {
    const id = payload.readUInt32BE(0) & ID_MASK;
    const headers = await coder.decode(payload.subarray(10));
    const input = new PassThrough();
    inputs.set(id, input);
    lastStream = Math.max(lastStream, id);
    send(controlFrame(SYN_REPLY, Buffer.concat([uint32s(id), await coder.encode(new Map())])));
    if (flags & FIN) endInput(id);
    let isOpen = true;
    onStream({
      headers,
      input,
      write: (chunk) => {
        for (let at = 0; at < chunk.length && isOpen; at += LARGEST_DATA_BYTES) {
          send(dataFrame(id, chunk.subarray(at, at + LARGEST_DATA_BYTES)));
        }
      },
      end: () => {
        if (isOpen) send(dataFrame(id, Buffer.alloc(0), FIN));
        isOpen = false;
      },
    });
  };

  const handleControl = async (type: number, flags: number, payload: Buffer): Promise<void> => {
    if (type === SYN_STREAM) await openStream(payload, flags);
    else if (type === RST_STREAM) endInput(payload.readUInt32BE(0) & ID_MASK);
    else if (type === PING) send(controlFrame(PING, payload));
    else if (type === GOAWAY) for (const id of [...inputs.keys()]) endInput(id);
  };

  const handleFrame = async (frame: Buffer): Promise<void> => {
    const flags = frame.readUInt8(4);
    const payload = frame.subarray(HEADER_BYTES);
    if (frame.readUInt8(0) & 0x80) return handleControl(frame.readUInt16BE(2), flags, payload);
    const id = frame.readUInt32BE(0);
    inputs.get(id)?.write(payload);
    if (flags & FIN) endInput(id);
  };

  const run = async (): Promise<void> => {
    let buffered = head;
    const handleComplete = async (): Promise<void> => {
      while (buffered.length >= HEADER_BYTES) {
        const size = HEADER_BYTES + buffered.readUIntBE(5, 3);
        if (buffered.length < size) return;
        const frame = buffered.subarray(0, size);
        buffered = buffered.subarray(size);
        await handleFrame(frame);
      }
    };
    await handleComplete();
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      buffered = Buffer.concat([buffered, chunk]);
      await handleComplete();
    }
  };

  run()
    .catch(() => socket.destroy())
    .finally(() => {
      for (const id of [...inputs.keys()]) endInput(id);
      coder.close();
    });

  return {
    close: () => {
      send(controlFrame(GOAWAY, uint32s(lastStream, 0)));
      socket.end();
    },
  };
}
