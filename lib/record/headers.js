'use strict';

const MimeNode = require('nodemailer/lib/mime-node');
const { parseHeaderValue } = require('nodemailer/lib/mime-funcs');
const { addressEntries, countMailboxes } = require('./address');
const { composedPath } = require('./reason');

const normalizer = new MimeNode();
const ADDRESSES = new Set(['From', 'Sender', 'To', 'Cc', 'Bcc', 'Reply-To']);
const RECIPIENTS = new Set(['To', 'Cc', 'Bcc']);
/** Headers the engine looks up: their values must be plain text. */
const CONSULTED = new Set([
  'Content-Type',
  'Content-Disposition',
  'Content-Transfer-Encoding',
  'MIME-Version',
  'Message-ID',
]);

/** Remembers results for short strings; the few hundred a program uses. */
function memoized(compute) {
  const known = new Map();
  return (input) => {
    let result = known.get(input);
    if (result === undefined) {
      result = compute(input);
      if (typeof input === 'string' && input.length <= 100) {
        if (known.size >= 500) {
          known.clear();
        }
        known.set(input, result);
      }
    }
    return result;
  };
}

const normalKey = memoized((key) => normalizer._normalizeHeaderKey(key));

const structured = memoized((value) => {
  const parsed = parseHeaderValue(value, { stripComments: true });
  return { value: parsed.value, params: Object.entries(parsed.params) };
});

/** Ordered headers with nodemailer's rules for adding and replacing. */
class Headers {
  constructor() {
    this.list = [];
  }

  /** Appends; takes one header, `{ key, value }`, an object or a list of them, and lists of values. */
  add(key, value) {
    if (!value && key && typeof key === 'object') {
      if (key.key && key.value) {
        this.add(key.key, key.value);
      } else if (Array.isArray(key)) {
        key.forEach((entry) => this.add(entry.key, entry.value));
      } else {
        Object.keys(key).forEach((name) => this.add(name, key[name]));
      }
    } else if (Array.isArray(value)) {
      value.forEach((entry) => this.add(key, entry));
    } else {
      this.list.push({ key: normalKey(key), value });
    }
  }

  /** Replaces the first of that name and drops the others, or appends. `key` is in normal form. */
  set(key, value) {
    const first = this.indexOf(key);
    if (first < 0) {
      this.list.push({ key, value });
      return;
    }
    this.list[first] = { key, value };
    for (let i = this.list.length - 1; i > first; i--) {
      if (this.list[i].key === key) {
        this.list.splice(i, 1);
      }
    }
  }

  /** As `set`, where there is a value. */
  setIf(key, value) {
    if (value) {
      this.set(key, value);
    }
  }

  get(key) {
    return this.list[this.indexOf(key)]?.value;
  }

  /** Place of the first of that name, -1 if there is none. Asked some ten times a message. */
  indexOf(key) {
    for (let i = 0; i < this.list.length; i++) {
      if (this.list[i].key === key) {
        return i;
      }
    }
    return -1;
  }

  keys() {
    return this.list.map(({ key }) => key);
  }

  /** Writes them to a record, without those that come to nothing. */
  write(tokens) {
    for (const { key, value } of this.list) {
      writeHeader(tokens, key, value);
    }
  }
}

/** Marks a header whose value the engine generates. */
const GENERATED = { generated: true };

function writeHeader(tokens, key, value) {
  if (value === GENERATED) {
    tokens.generatedId();
  } else if (ADDRESSES.has(key)) {
    writeAddresses(tokens, key, addressEntries(value));
  } else if (key === 'References') {
    tokens.field({ k: key, ids: [].concat(value || '').map(plain) });
  } else if (key === 'Date') {
    tokens.header(key, dateText(value));
  } else if (value && typeof value === 'object') {
    writeObject(tokens, key, CONSULTED.has(key) ? composedPath('header') : value);
  } else if (key === 'Content-Type' || key === 'Content-Disposition') {
    writeStructured(tokens, key, value);
  } else {
    tokens.header(key, plain(value));
  }
}

function writeAddresses(tokens, key, entries) {
  if (RECIPIENTS.has(key)) {
    tokens.recipients += countMailboxes(entries);
  }
  if (entries.length === 1 && entries[0].list) {
    tokens.addresses(key, entries[0].list);
  } else {
    tokens.field({ k: key, a: entries });
  }
}

/** A value with plain parameters, if any, which the engine reads itself. */
const SIMPLE_VALUE = /^[\w.+-]+(?:\/[\w.+-]+)?(?:; [a-z][a-z-]*=[\w.+-]+)*$/;

function writeStructured(tokens, key, value) {
  if (typeof value !== 'string') {
    // nothing to parse in it, though it counts as text where the type is looked up
    tokens.field({ k: key, v: plain(value), s: { value: '', params: [] } });
  } else if (SIMPLE_VALUE.test(value)) {
    tokens.header(key, value);
  } else {
    tokens.field({ k: key, v: value, s: structured(value) });
  }
}

/** A header given as `{ value, prepared, foldLines }`. */
function writeObject(tokens, key, value) {
  const content = plain(value.value);
  const own = (name) => Object.hasOwn(value, name) && value[name];
  if (!content.trim()) {
    return;
  }
  if (own('prepared')) {
    tokens.field({ k: key, v: content, prepared: !!own('foldLines') });
  } else {
    tokens.header(key, content);
  }
}

function plain(value) {
  if (typeof value === 'string') {
    return value;
  }
  return typeof value === 'function' || typeof value === 'symbol'
    ? composedPath('header')
    : (value || '').toString();
}

/** The value of a `Date` header. */
function dateText(value) {
  if (Object.prototype.toString.call(value) === '[object Date]') {
    return value.toUTCString().replace(/GMT/, '+0000');
  }
  return plain(value);
}

/** Headers the engine adds on its own. */
const AUTOMATIC = ['Date', 'MIME-Version', 'Content-Transfer-Encoding', 'Content-Disposition'];

/** Source of a function that sees its first argument and no other. */
const ONE_ARGUMENT = /^(?:(?:function\s*)?[\w$]*\s*\(\s*[\w$]*\s*\)\s*(?:=>|\{)|[\w$]+\s*=>)/;

/**
 * The names a caller's function gives to headers. It is asked once for each, which is the same as
 * asking it for every header as long as it cannot see their values.
 */
function headerNames(normalize, keys) {
  const source = Function.prototype.toString.call(normalize);
  if (!ONE_ARGUMENT.test(source) || /\barguments\b|\[native code\]/.test(source)) {
    composedPath('normalizeHeaderKey');
  }
  const names = {};
  for (const key of [...keys, ...AUTOMATIC]) {
    const name = normalize(key);
    // control characters would end the header
    names[key] = (typeof name === 'string' && name.replace(/[\x00-\x1f\x7f]/g, '')) || key;
  }
  return names;
}

let second = 0;
let secondText = '';

/** The `Date` of this moment; many messages share a second. */
function dateNow() {
  const now = Date.now();
  if (now - second >= 1000 || now < second) {
    second = now - (now % 1000);
    secondText = dateText(new Date(second));
  }
  return secondText;
}

module.exports = { Headers, GENERATED, dateNow, dateText, headerNames };
