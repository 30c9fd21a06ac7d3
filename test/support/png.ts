import { inflateSync } from 'node:zlib';

/** An image as its pixels, `#rrggbb` by column and row. */
export interface Pixels {
  width: number;
  height: number;
  at(x: number, y: number): string;
}

const BYTES_PER_PIXEL: Readonly<Record<number, number>> = { 2: 3, 6: 4 };

/** Reads a PNG of 8 bits a channel, RGB or RGBA, not interlaced: what renderers of SVG write (RFC 2083). */
export function readPng(png: Buffer): Pixels {
  const data: Buffer[] = [];
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') data.push(png.subarray(at + 8, at + 8 + length));
    at += length + 12;
  }
  const [width, height, size] = [png.readUInt32BE(16), png.readUInt32BE(20), BYTES_PER_PIXEL[png[25] ?? 0] ?? 0];
  const rows = unfilter(inflateSync(Buffer.concat(data)), width * size, height, size);
  return {
    width,
    height,
    at: (x, y) => `#${rows.subarray(y * width * size + x * size).toString('hex', 0, 3)}`,
  };
}

function unfilter(raw: Buffer, stride: number, height: number, size: number): Buffer {
  const rows = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const here = y * stride + x;
      const left = x < size ? 0 : (rows[here - size] ?? 0);
      const up = y === 0 ? 0 : (rows[here - stride] ?? 0);
      const upLeft = x < size || y === 0 ? 0 : (rows[here - stride - size] ?? 0);
      const added = [0, left, up, Math.floor((left + up) / 2), paeth(left, up, upLeft)][filter ?? 0] ?? 0;
      rows[here] = ((raw[y * (stride + 1) + 1 + x] ?? 0) + added) & 0xff;
    }
  }
  return rows;
}

function paeth(left: number, up: number, upLeft: number): number {
  const guess = left + up - upLeft;
  const [a, b, c] = [left, up, upLeft].map((value) => Math.abs(guess - value)) as [number, number, number];
  return a <= b && a <= c ? left : b <= c ? up : upLeft;
}
