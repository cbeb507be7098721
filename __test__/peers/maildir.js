'use strict';

/** Reads what a server has delivered: one file for each message and recipient. */

const fs = require('node:fs');
const path = require('node:path');

/** @typedef {{ id: string, from: string, to: string, text: string }} Delivery */

class Maildir {
  constructor(folder) {
    this.folder = folder;
    this.known = new Map();
  }

  /** @returns {Delivery[]} all that has been delivered so far */
  read() {
    if (!fs.existsSync(this.folder)) return [];
    for (const name of fs.readdirSync(this.folder)) {
      if (!this.known.has(name)) this.known.set(name, parse(fs.readFileSync(path.join(this.folder, name))));
    }
    return [...this.known.values()];
  }
}

/** Splits off what servers write on top: whom it is from, whom it is for. */
function parse(file) {
  const text = file.toString('latin1');
  const head = text.slice(0, text.indexOf('\n\n') + 1).replace(/\n[ \t]+/g, ' ');
  const field = (name) => head.match(new RegExp(`^${name}: *(.*)$`, 'im'))?.[1];
  const address = (value) => Buffer.from(value ?? '', 'latin1').toString().replace(/[<>]/g, '');
  return {
    id: field('Message-ID'),
    from: address(field('Return-Path')),
    to: address(field('Delivered-To') ?? field('Envelope-To')),
    text,
  };
}

module.exports = { Maildir };
