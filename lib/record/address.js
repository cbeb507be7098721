'use strict';

const MimeNode = require('nodemailer/lib/mime-node');
const { composedPath } = require('./reason');

// nodemailer's own reading of whatever is not in the common form
const reader = new MimeNode();

const ATEXT = "[\\w!#$%&'*+\\-/=?^`{|}~]";
const LOCAL = `${ATEXT}+(?:\\.${ATEXT}+)*`;
// a domain the URL parser only lowers: no A-labels, and a last label that cannot be a number
const LABEL = '(?!xn--)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?';
const DOMAIN = `(?:${LABEL}\\.)*(?!xn--)[a-z](?:[a-z0-9-]*[a-z0-9])?`;
const ADDRESS = `${LOCAL}@${DOMAIN}`;
const WORD = '[^\\s\\x00-\\x1f\\x7f"(),:;<>@[\\]\\\\]+';
const QUOTED = '[^\\s\\x00-\\x1f\\x7f"\\\\]+';
const NAME = `(?:${WORD}(?: +${WORD})*|"(?:${QUOTED}(?: +${QUOTED})*)?")`;
// white space has one place between any two things: a pattern that can choose takes quadratic time
const MAILBOX = `(?:${ADDRESS}|(?:${NAME} *)?<${ADDRESS}>)`;

/** One address without a name. */
const SIMPLE_ADDRESS = new RegExp(`^${ADDRESS}$`, 'i');
/** A list the engine reads as nodemailer does; see `message/address.rs`. */
const SIMPLE_LIST = new RegExp(`^ *${MAILBOX}(?: *, *${MAILBOX})* *$`, 'i');

/** Lowers the domain of a simple address. */
function lowerDomain(address) {
  const at = address.lastIndexOf('@');
  return address.slice(0, at) + address.slice(at).toLowerCase();
}

function displayName(name) {
  if (typeof name === 'string') {
    return name;
  }
  return typeof name === 'number' ? String(name) : composedPath('address');
}

/** Entries for addresses nodemailer has parsed; what has no address leaves no trace in a header. */
function parsedEntries(addresses, entries) {
  for (const { name, address, group } of addresses) {
    if (address) {
      const normal = reader._normalizeAddress(address);
      if (!normal.isWellFormed()) {
        composedPath('address');
      }
      entries.push({ name: displayName(name), address: normal });
    } else if (group) {
      entries.push({ name: displayName(name), group: parsedEntries(group, []) });
    }
  }
  return entries;
}

function isSimpleObject(value) {
  return (
    value !== null &&
    typeof value === 'object' &&
    typeof value.address === 'string' &&
    (typeof value.name === 'string' || !value.name) &&
    SIMPLE_ADDRESS.test(value.address)
  );
}

/** What an address header holds, as entries of the record. */
function addressEntries(value) {
  const entries = [];
  let list = '';
  const flush = () => {
    if (list) {
      entries.push({ list });
      list = '';
    }
  };
  for (const item of Array.isArray(value) ? value : [value]) {
    if (typeof item === 'string' && SIMPLE_LIST.test(item)) {
      list = list ? `${list},${item}` : item;
    } else if (isSimpleObject(item)) {
      flush();
      entries.push({ name: item.name || '', address: lowerDomain(item.address) });
    } else if (item !== '') {
      flush();
      parsedEntries(reader._parseAddresses(item), entries);
    }
  }
  flush();
  return entries;
}

/** The caller's envelope: sender and recipients in normal form, each recipient once. */
function addressees(envelope) {
  const simple = (value) => typeof value === 'string' && SIMPLE_ADDRESS.test(value);
  const list = [].concat(envelope.to || []);
  if ((!envelope.from || simple(envelope.from)) && !envelope.cc && !envelope.bcc && list.every(simple)) {
    return { from: lowerDomain(envelope.from || ''), to: [...new Set(list.map(lowerDomain))] };
  }
  const { from, to } = reader.setEnvelope(envelope)._envelope;
  if (![from || '', ...to].every((address) => address.isWellFormed())) {
    composedPath('address');
  }
  return { from: (from || '').trim(), to: to.map((address) => address.trim()) };
}

/** Mailboxes in entries, without reading them: each has one `@` outside of quotes. */
function countMailboxes(entries) {
  let count = 0;
  for (const { list, group } of entries) {
    count += list ? countInList(list) : group ? group.length : 1;
  }
  return count;
}

function countInList(list) {
  const bare = list.includes('"') ? list.replace(/"[^"]*"/g, '') : list;
  let count = 0;
  for (let at = bare.indexOf('@'); at >= 0; at = bare.indexOf('@', at + 1)) {
    count++;
  }
  return count;
}

module.exports = { addressEntries, addressees, countMailboxes };
