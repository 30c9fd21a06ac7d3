#!/usr/bin/env node
/**
 * Records what a command prints: OUT.cast (asciicast v2, for asciinema) and OUT.svg (for the README).
 *
 *   npm run build && node .ci/capture.mjs .github/assets/demo -- node bin/meshctl.js demo --pace 1s
 */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

const COLUMNS = 110;
const ROWS = 32;
/** Longer pauses, e.g. of waiting for a process to start, are shortened to this. */
const LONGEST_PAUSE_S = 2;
/** How long the end stays before the picture begins anew. */
const LAST_PICTURE_S = 8;

/** Bold, dim, colour; `-` for what it is not. */
const PLAIN = '- - -';
const COLOURS = { 31: '#f47067', 32: '#7ec699', 33: '#e5c07b', 36: '#76c7d6' };

/** Runs a command and notes its stdout with times in seconds. */
function record([program, ...argv]) {
  const child = spawn(program, argv, {
    env: { ...process.env, FORCE_COLOR: '1', COLUMNS: String(COLUMNS) },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  child.stdout.setEncoding('utf8');
  const recorded = [];
  let clock = 0;
  let last = performance.now();
  child.stdout.on('data', (text) => {
    const now = performance.now();
    clock += Math.min((now - last) / 1000, LONGEST_PAUSE_S);
    last = now;
    recorded.push({ at: Math.round(clock * 1000) / 1000, text });
  });
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) => done({ events: recorded, exitCode: code }));
  });
}

/** https://docs.asciinema.org/manual/asciicast/v2/ */
function castOf(recorded) {
  const header = { version: 2, width: COLUMNS, height: ROWS, env: { TERM: 'xterm-256color' } };
  const lines = recorded.map(({ at, text }) => [at, 'o', text.replaceAll('\n', '\r\n')]);
  return `${[header, ...lines].map((line) => JSON.stringify(line)).join('\n')}\n`;
}

/** A terminal that fills from its last row: all lines below each other, moved up as they appear. */
function svgOf(recorded) {
  const lines = linesOf(recorded);
  const [lineHeight, charWidth, margin] = [18, 8.4, 12];
  const width = Math.ceil(COLUMNS * charWidth + 2 * margin);
  const height = ROWS * lineHeight + 2 * margin;
  const endS = (lines.at(-1)?.at ?? 0) + LAST_PICTURE_S;
  const offsets = new Map([[0, ROWS * lineHeight]]);
  for (const [index, { at }] of lines.entries()) offsets.set(at, (ROWS - index - 1) * lineHeight);
  const keyTimes = [...offsets.keys()].map((at) => (at / endS).toFixed(4)).join(';');
  const values = [...offsets.values()].map((offset) => `0 ${offset}`).join(';');
  const rows = lines.map(
    ({ runs }, index) => `<text y="${(index + 1) * lineHeight - 4}">${runs.map(runSvg).join('')}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">
<style>text{white-space:pre}</style>
<rect width="100%" height="100%" rx="8" fill="#1b1f27"/>
<svg x="${margin}" y="${margin}" width="${width - 2 * margin}" height="${ROWS * lineHeight}">
<g xml:space="preserve" font-family="ui-monospace,Menlo,Consolas,monospace" font-size="14" fill="#d7dce5">
<animateTransform attributeName="transform" type="translate" calcMode="discrete" dur="${endS}s" repeatCount="indefinite"
 keyTimes="${keyTimes}" values="${values}"/>
${rows.join('\n')}
</g>
</svg>
</svg>
`;
}

/** Lines of a terminal with the time of their end, as runs of one style each. */
function linesOf(recorded) {
  const lines = [];
  let style = PLAIN;
  let line = { at: 0, runs: [], length: 0 };
  const endLine = () => {
    lines.push(line);
    line = { at: line.at, runs: [], length: 0 };
  };
  for (const { at, text } of recorded) {
    for (const [, code, plain] of text.matchAll(/\x1b\[(\d+)m|(\n|[^\n\x1b]+)/g)) {
      line.at = at;
      if (code !== undefined) style = styled(style, Number(code));
      else if (plain === '\n') endLine();
      else addText(plain);
    }
  }
  function addText(text) {
    for (let rest = text; rest !== ''; ) {
      if (line.length === COLUMNS) breakLine(rest);
      const part = rest.slice(0, COLUMNS - line.length);
      const run = line.runs.at(-1);
      if (run?.style === style) run.text += part;
      else line.runs.push({ style, text: part });
      line.length += part.length;
      rest = rest.slice(part.length);
    }
  }
  /** Between words, so that the picture can be read; within a word only where it is longer than a line. */
  function breakLine(rest) {
    const text = line.runs.map((run) => run.text).join('');
    const start = rest.startsWith(' ') ? COLUMNS : text.lastIndexOf(' ') + 1;
    const moved = text.slice(0, start).trim() === '' ? [] : takeFrom(start);
    endLine();
    line.runs = moved;
    line.length = moved.reduce((sum, run) => sum + run.text.length, 0);
  }
  /** The runs of the line from a column on, which leave it. */
  function takeFrom(column) {
    const [kept, moved] = [[], []];
    let at = 0;
    for (const { style: own, text } of line.runs) {
      const here = Math.max(0, Math.min(text.length, column - at));
      if (here > 0) kept.push({ style: own, text: text.slice(0, here) });
      if (here < text.length) moved.push({ style: own, text: text.slice(here) });
      at += text.length;
    }
    line.runs = kept;
    return moved;
  }
  if (line.length > 0) endLine();
  return lines;
}

/** The style after an escape code. */
function styled(style, code) {
  const [bold, dim, colour] = style.split(' ');
  if (code === 0) return PLAIN;
  if (code === 22) return `- - ${colour}`;
  if (code === 1) return `bold ${dim} ${colour}`;
  if (code === 2) return `${bold} dim ${colour}`;
  return `${bold} ${dim} ${COLOURS[code] ?? '-'}`;
}

function runSvg({ style, text }) {
  const [bold, dim, colour] = style.split(' ');
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const attributes = [
    bold === '-' ? '' : ' font-weight="bold"',
    dim === '-' ? '' : ' opacity=".6"',
    colour === '-' ? '' : ` fill="${colour}"`,
  ].join('');
  return attributes ? `<tspan${attributes}>${escaped}</tspan>` : escaped;
}

const [out, separator, ...command] = process.argv.slice(2);
if (!out || separator !== '--' || command.length === 0) {
  process.stderr.write('usage: capture.mjs OUT -- COMMAND [ARGUMENT…]\n');
  process.exit(2);
}

const { events, exitCode } = await record(command);
if (exitCode !== 0) {
  process.stderr.write(`${command.join(' ')} exited ${exitCode}: nothing is written\n`);
  process.exit(1);
}
await mkdir(dirname(out), { recursive: true });
await writeFile(`${out}.cast`, castOf(events));
await writeFile(`${out}.svg`, svgOf(events));
