'use strict';

// What is sent. Each workload says how a message looks, how many are sent in one run, and how many a
// connection are handed over at a time (`depth`): enough to keep every connection busy, few enough
// that large messages do not fill the memory.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const MEGABYTE = 1024 * 1024;
const FROM = 'sender@postpool.example';

const recipient = (number) => `recipient-${number}@postpool.example`;

function small(number) {
  return {
    from: FROM,
    to: recipient(number),
    subject: `Your code is ${100000 + number}`,
    text: `Hello,\n\nyour code is ${100000 + number}. It is valid for ten minutes.\n\nThe postpool team\n`,
  };
}

const PARAGRAPH =
  '<p style="font: 16px/1.5 Georgia, serif">Die Mandelblüte kam früh – Příliš žluťoučký kůň – 川沿いの道を三キロ. ' +
  '<a href="https://news.example/stories/today">Weiter&nbsp;→</a></p>\n';
const HTML = PARAGRAPH.repeat(Math.ceil(30_000 / Buffer.byteLength(PARAGRAPH)));

function newsletter(number) {
  return {
    from: { name: 'Die Wochenpost', address: FROM },
    to: { name: 'Zoë Müller', address: recipient(number) },
    subject: `Zoë, deine Woche № ${number} – fünf Geschichten`,
    text: 'Fünf Geschichten für dich: https://news.example/\n',
    html: `<html><body><h1>Hallo Nr. ${number}</h1>\n${HTML}</body></html>`,
  };
}

/** Bytes without a pattern that an encoder could profit from, the same on every run. */
function noise(length) {
  const buffer = Buffer.allocUnsafe(length);
  let state = 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    buffer[at] = state >>> 24;
  }
  return buffer;
}

function withBuffer(length) {
  const content = noise(length);
  return (number) => ({ ...small(number), attachments: [{ filename: 'report.pdf', content }] });
}

function withPath(length) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'postpool-bench-'));
  const file = path.join(folder, 'report.pdf');
  fs.writeFileSync(file, noise(length));
  process.on('exit', () => fs.rmSync(folder, { recursive: true }));
  return (number) => ({ ...small(number), attachments: [{ path: file }] });
}

function toMany(count) {
  const to = Array.from({ length: count }, (_, number) => recipient(number));
  return (number) => ({ ...small(number), to });
}

/** Every tenth message goes to somebody the sink does not know. */
function partlyRefused(number) {
  return number % 10 === 0 ? { ...small(number), to: `refused-${number}@postpool.example` } : small(number);
}

const WORKLOADS = {
  small: { make: () => small, messages: 20_000, depth: 20 },
  newsletter: { make: () => newsletter, messages: 4000, warmUp: 4000, depth: 20 },
  'buffer-1mb': { make: () => withBuffer(MEGABYTE), messages: 200, depth: 4 },
  'buffer-5mb': { make: () => withBuffer(5 * MEGABYTE), messages: 40, depth: 2 },
  'path-1mb': { make: () => withPath(MEGABYTE), messages: 200, depth: 4 },
  'path-5mb': { make: () => withPath(5 * MEGABYTE), messages: 40, depth: 2 },
  'recipients-10': { make: () => toMany(10), messages: 3000, depth: 20, recipients: 10 },
  'recipients-100': { make: () => toMany(100), messages: 600, depth: 20, recipients: 100 },
  'recipients-1000': { make: () => toMany(1000), messages: 80, depth: 20, recipients: 1000 },
  refused: { make: () => partlyRefused, messages: 16_000, depth: 20, refusedShare: 0.1 },
  // All at once, as an application does that does not look at `idle`. Both warm up alike, so that
  // they differ in nothing but the length of the queue.
  'burst-1000': { make: () => small, messages: 30_000, burst: 1000, warmUp: 5000 },
  'burst-100000': { make: () => small, messages: 100_000, burst: 100_000, warmUp: 5000 },
};

module.exports = { WORKLOADS };
