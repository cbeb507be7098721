'use strict';

const { nasty, words } = require('./texts');

const DOMAINS = [
  'example.com',
  'Example.ORG',
  'a.b.c.d',
  'localhost',
  'münchen.de',
  'xn--mnchen-3ya.de',
  'EXAMPLE.co.uk',
  '日本.jp',
  '127.0.0.1',
  '[127.0.0.1]',
  '[IPv6:2001:DB8::1]',
  '1.2',
  '0x1f.com',
  'foo_bar.com',
  'a-b.com',
  '-a.com',
  'a..b',
  'com.',
  'stra\u1e9ee.de',
  'compa\u00adny.com',
  'a/b.com',
  'xn--zz.com',
  'a'.repeat(64) + '.com',
];
const LOCALS = [
  'a',
  'bob',
  'Bob.Smith',
  'x+tag',
  "o'brien",
  'ü',
  'jürgen',
  '"a b"',
  '"a@b"',
  'a..b',
  '.a',
  'a b',
  '"',
  'a"b',
  '日本',
  'a,b',
  '!#$%&',
  '',
];

function address(random) {
  if (random.chance(0.03)) {
    return nasty(random);
  }
  const domain = random.chance(0.7) ? random.pick(DOMAINS.slice(0, 4)) : random.pick(DOMAINS);
  const local = random.chance(0.7) ? random.pick(LOCALS.slice(0, 5)) : random.pick(LOCALS);
  return `${local}${random.chance(0.02) ? '' : '@'}${domain}`;
}

function mailbox(random) {
  const name = random.chance(0.5) ? words(random, 3) : nasty(random);
  switch (random.int(9)) {
    case 0:
      return `${name} <${address(random)}>`;
    case 1:
      return `"${name}" <${address(random)}>`;
    case 2:
      return `${address(random)} (${name})`;
    case 3:
      return `<${address(random)}>`;
    case 4:
      return `Group ${name}: ${random.times(3, () => address(random)).join(', ')};`;
    case 5:
      return `Bob Smith <${address(random)}>`;
    default:
      return address(random);
  }
}

function addresses(random, depth = 0) {
  switch (random.int(8)) {
    case 0:
      return random.times(4, () => mailbox(random)).join(random.pick([', ', ',', '; ', ' , ']));
    case 1:
    case 2:
      return depth > 2 ? mailbox(random) : random.times(5, () => addresses(random, depth + 1));
    case 3:
    case 4:
      return {
        name: random.chance(0.1) ? random.pick([undefined, null, 5]) : nasty(random),
        address: address(random),
      };
    case 5:
      return random.chance(0.05)
        ? Array.from({ length: 300 }, (_, i) => `user${i}@example.com`)
        : mailbox(random);
    default:
      return mailbox(random);
  }
}

module.exports = { addresses, mailbox };
