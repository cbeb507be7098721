'use strict';

/** A small seeded generator: the same seed gives the same message on every machine. */
class Random {
  constructor(seed) {
    this.state = seed >>> 0;
  }

  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  int(max) {
    return Math.floor(this.next() * max);
  }

  chance(p) {
    return this.next() < p;
  }

  pick(list) {
    return list[this.int(list.length)];
  }

  times(max, make) {
    return Array.from({ length: this.int(max + 1) }, make);
  }
}

const NASTY = [
  '',
  ' ',
  '\t',
  'a',
  'é',
  '😀',
  '👩‍👩‍👧‍👦',
  '🇩🇪',
  'שלום עולם',
  'مرحبا',
  'e\u0301\u0323',
  '\ud83d',
  '\udc00',
  '\ud83dx\udc00',
  '\r',
  '\n',
  '\r\n',
  '\n\r',
  '\r\n\r\n',
  '\0',
  '\x07',
  '\x7f',
  '\x0b',
  '\x1b[31m',
  '\u00a0',
  '\u2028',
  '\ufeff',
  '\u200b',
  '"',
  '""',
  '\\',
  '\\"',
  "'",
  '`',
  '(',
  ')',
  '<',
  '>',
  '<>',
  '@',
  ',',
  ';',
  ':',
  '[',
  ']',
  '=',
  '?',
  '=?',
  '?=',
  '%',
  '%00',
  '*',
  '*0*',
  '=?UTF-8?Q?a?=',
  '=?utf-8?B?w7w=?=',
  '=?utf-8?Q?a b?=',
  '=?x?y?z?=',
  '=20',
  '=3D',
  '=\r\n',
  '.',
  '..',
  '-',
  '--',
  '_',
  '__proto__',
  'constructor',
  'From ',
  'Bcc: x@y.z',
  '--_NmP',
  'a'.repeat(75),
  'a'.repeat(76),
  'a'.repeat(77),
  'b'.repeat(998),
  'c'.repeat(999),
  'ü'.repeat(40),
  '漢字'.repeat(30),
  'word '.repeat(40),
  'wörd '.repeat(40),
  'no.spaces,but!marks?'.repeat(12),
  'tab\ttab '.repeat(20),
  '   ',
  'trailing  ',
  '  leading',
];
const WORDS = [
  'Hello',
  'world',
  'invoice',
  'Rechnung',
  'für',
  'Österreich',
  'naïve',
  '2026',
  '€',
  'résumé',
  'and',
  'the',
  'from',
  'to',
  'a',
  'I',
  '100%',
  'C++',
  'x=y',
  'foo_bar',
  'https://example.com/a?b=c&d=e',
  '🎉',
  'Привет',
  '日本語',
];

function words(random, max) {
  return random.times(max, () => random.pick(WORDS)).join(' ');
}

/** Text that is likely to hold something unpleasant. */
function nasty(random) {
  switch (random.int(6)) {
    case 0:
      return random.pick(NASTY);
    case 1:
      return words(random, 12);
    case 2:
      return random.times(4, () => random.pick(NASTY)).join('');
    case 3:
      return random.times(6, () => (random.chance(0.6) ? random.pick(WORDS) : random.pick(NASTY))).join(' ');
    case 4:
      return random
        .times(60, () => String.fromCharCode(random.int(random.chance(0.5) ? 128 : 0x3000)))
        .join('');
    default:
      return random
        .times(30, () =>
          random.pick(['a', 'b', ' ', '=', '\t', '"', 'é', '.', ',', '\n', '\r\n', '?', '_', '-']),
        )
        .join('');
  }
}

/** Text for a body, sometimes long. */
function body(random) {
  const separator = random.pick(['\n', '\r\n', '\r\n', ' ', '\n\n', '\r']);
  const lines = random.times(random.chance(0.05) ? 400 : 12, () =>
    random.chance(0.3) ? nasty(random) : words(random, 30),
  );
  const text = lines.join(separator);
  return random.chance(0.01) ? text.repeat(60) : text;
}

module.exports = { Random, body, nasty, words };
