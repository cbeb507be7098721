'use strict';

/** Reads what a server has delivered: one file for each message and recipient. */

const fs = require('node:fs');
const path = require('node:path');

/** @typedef {{ id: string, from: string, to: string, text: string }} Delivery */

/** All mailboxes of a server, `<mailbox>/new` in one folder. */
class Mailboxes {
  constructor(folder) {
    this.folder = folder;
    this.known = new Map();
  }

  /** @returns {Delivery[]} all that has been delivered so far */
  read() {
    for (const mailbox of fs.readdirSync(this.folder))
      this.look(path.join(this.folder, mailbox, 'new'), mailbox);
    return [...this.known.values()];
  }

  look(folder, mailbox) {
    if (!fs.existsSync(folder)) return;
    for (const name of fs.readdirSync(folder)) {
      const file = path.join(folder, name);
      if (!this.known.has(file)) this.known.set(file, parse(fs.readFileSync(file), mailbox));
    }
  }
}

/** Splits off what servers write on top: whom it is from, whom it is for. */
function parse(file, mailbox) {
  const text = file.toString('latin1');
  const head = text.slice(0, text.indexOf('\n\n') + 1).replace(/\n[ \t]+/g, ' ');
  const field = (name) => head.match(new RegExp(`^${name}: *(.*)$`, 'im'))?.[1];
  const address = (value) => Buffer.from(value, 'latin1').toString().replace(/[<>]/g, '');
  return {
    id: field('Message-ID'),
    from: address(field('Return-Path') ?? ''),
    to: address(field('Delivered-To') ?? field('Envelope-To') ?? `${mailbox}@peers.test`),
    text,
  };
}

module.exports = { Mailboxes };
