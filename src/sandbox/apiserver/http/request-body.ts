import type { IncomingMessage } from 'node:http';
import { parse as parseYaml } from 'yaml';
import { ApiError, badRequest, unsupportedMediaType } from '../errors.ts';
import { decodeProtobuf } from './protobuf.ts';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const LIMIT_BYTES = 3 * 1024 * 1024;

export interface RequestBody {
  mediaType: string;
  /** Undefined for an empty body. */
  value: unknown;
}

/** The media type of a request without its parameters. */
function mediaTypeOf(request: IncomingMessage): string {
  return (request.headers['content-type'] ?? 'application/json').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** Reads a JSON or YAML body. Throws 400 for what cannot be parsed, 413 for more than 3 MiB, 415 for other encodings. */
export async function readBody(request: IncomingMessage): Promise<RequestBody> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LIMIT_BYTES)
      throw new ApiError(413, 'RequestEntityTooLarge', `Request entity too large: limit is ${LIMIT_BYTES}`);
    chunks.push(chunk);
  }
  const bytes = Buffer.concat(chunks);
  const mediaType = mediaTypeOf(request);
  if (mediaType === PROTOBUF) return { mediaType, value: bytes.length > 0 ? decodeProtobuf(bytes) : undefined };
  const text = bytes.toString('utf8');
  if (text.trim() === '') return { mediaType, value: undefined };
  const isYaml = mediaType.endsWith('yaml');
  if (!isYaml && !mediaType.endsWith('json'))
    throw unsupportedMediaType(['application/json', 'application/yaml', PROTOBUF]);
  try {
    return { mediaType, value: isYaml ? valueOfYaml(text) : JSON.parse(text) };
  } catch (error) {
    throw badRequest(`error parsing the request's body as ${isYaml ? 'YAML' : 'JSON'}: ${(error as Error).message}`);
  }
}

/** What programs apply is JSON, which is YAML too, and is read a hundred times faster as what it is. */
function valueOfYaml(text: string): unknown {
  if (text.startsWith('{')) {
    try {
      return JSON.parse(text);
    } catch {
      // A flow mapping.
    }
  }
  return parseYaml(text);
}
