import { constants, type FileHandle, open } from 'node:fs/promises';
import { Socket } from 'node:net';
import { errorOfAbort, MeshctlError } from '../../mesh/errors.ts';

/** How long a file may take that is no plain one: a pipe gives its text when somebody writes it. */
export interface ReadLimits {
  /** Milliseconds; default 30 s. */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /** As if nothing else were there: a pipe gives its text but once. */
  plainFilesOnly?: boolean | undefined;
}

const DEFAULT_TIMEOUT_MS = 30_000;
/** A kubeconfig of a thousand clusters has 3 to 5 MB. */
const MAX_BYTES = 16 * 1024 * 1024;

const WHY: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EISDIR: 'it is a directory',
  ENOTDIR: 'part of its path is not a directory',
  ELOOP: 'its symbolic links form a loop',
  ENXIO: 'nothing answers there',
};

/**
 * The text of a file: a plain one, a pipe (`<(command)`, a FIFO) or a device. Undefined where there is none.
 * @param what it is, for messages: `kubeconfig /path`
 * @throws MeshctlError `KubeconfigInvalid`; `Interrupted`
 */
export async function readTextFile(
  path: string,
  what: string,
  { timeoutMs = DEFAULT_TIMEOUT_MS, signal, plainFilesOnly = false }: ReadLimits = {},
): Promise<string | undefined> {
  const fail = (why: string, cause?: unknown) =>
    new MeshctlError('KubeconfigInvalid', `cannot read ${what}: ${why}`, { cause, details: { path } });
  let file: FileHandle;
  try {
    // Opening a pipe that nobody writes to would wait otherwise, beyond the reach of any signal.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw fail(WHY[code] ?? code, error);
  }
  try {
    const stats = await file.stat();
    if (plainFilesOnly && !stats.isFile()) return undefined;
    if (stats.isDirectory()) throw fail('it is a directory');
    if (stats.isFIFO() || stats.isSocket()) return await textOfPipe(file, { timeoutMs, signal }, fail);
    return await textOfFile(file, fail);
  } catch (error) {
    if (error instanceof MeshctlError) throw error;
    const { code = 'unknown error' } = error as NodeJS.ErrnoException;
    throw fail(WHY[code] ?? code, error);
  } finally {
    await file.close().catch(ignoreClosed);
  }
}

function tooLarge(): string {
  return `it has more than ${MAX_BYTES / 1024 / 1024} MiB`;
}

/** The socket that read the pipe has closed it. */
function ignoreClosed(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EBADF') throw error;
}

/** Of a plain file, or of a device, whose size says nothing: `/dev/null` is empty, `/dev/zero` never ends. */
async function textOfFile(file: FileHandle, fail: (why: string) => MeshctlError): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for (;;) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64 * 1024));
    if (bytesRead === 0) return Buffer.concat(chunks).toString('utf8');
    size += bytesRead;
    if (size > MAX_BYTES) throw fail(tooLarge());
    chunks.push(buffer.subarray(0, bytesRead));
  }
}

async function textOfPipe(
  file: FileHandle,
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined },
  fail: (why: string) => MeshctlError,
): Promise<string> {
  const pipe = new Socket({ fd: file.fd, readable: true, writable: false });
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise<string>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(fail(`nothing could be read from it within ${timeoutMs / 1000} s`)),
      timeoutMs,
    );
    const abort = () => signal && reject(errorOfAbort(signal));
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) abort();
    pipe.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > MAX_BYTES) reject(fail(tooLarge()));
      else chunks.push(chunk);
    });
    pipe.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')));
    pipe.on('error', (error: NodeJS.ErrnoException) => reject(fail(error.code ?? error.message)));
    pipe.on('close', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    });
  }).finally(() => pipe.destroy());
}
