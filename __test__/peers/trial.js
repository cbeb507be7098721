'use strict';

/**
 * Sends the same mail with nodemailer and with postpool to a server that neither of them knows, and
 * holds what they say against each other and against what the server has delivered.
 */

const nodemailer = require('nodemailer');
const { libraries } = require('../support/compare');
const { pem } = require('../support/servers');

/** How long a delivery may take after the server has accepted the message, in milliseconds. */
const PATIENCE = 15000;
/** What postpool adds to nodemailer's errors, and what no two runs have in common; the size differs in chunks. */
const APART = new Set([
  ...['phase', 'maybeDelivered', 'enhancedCode'],
  ...['stack', 'envelopeTime', 'messageTime', 'messageSize'],
]);

const compose = nodemailer.createTransport({ streamTransport: true, buffer: true, newline: 'unix' });
let count = 0;

/**
 * @typedef {object} Outcome
 * @property {object} mail what was sent
 * @property {object} [info]
 * @property {Error} [error]
 */

/**
 * Sends mails at once, over one pool.
 *
 * @param {'nodemailer' | 'postpool'} library
 * @param {object} options of the transport
 * @param {object[]} mails
 * @returns {Promise<Outcome[]>} in the order of the mails
 */
async function send(library, options, mails) {
  const transporter = require(libraries[library]).createTransport({
    pool: true,
    host: '127.0.0.1',
    tls: { ca: pem('ca') },
    ...options,
  });
  const run = (count += 1);
  const outcomes = await Promise.all(
    mails.map((fields, i) => {
      const messageId = `<${String(run).padStart(4, 0)}.${i}@peers.test>`;
      const mail = { ...STANDARD, messageId, ...fields, ...(fields.raw && { raw: fields.raw(messageId) }) };
      return transporter.sendMail(mail).then(
        (info) => ({ mail, info }),
        (error) => ({ mail, error }),
      );
    }),
  );
  await transporter.close();
  return outcomes;
}

const STANDARD = {
  from: 'sender@peers.test',
  to: 'good@peers.test',
  subject: 'hello',
  text: 'Hello.\n',
  date: new Date('2026-01-02T03:04:05Z'),
  baseBoundary: 'peers',
};

/** What the library says was delivered, as lines of id, sender and recipient. */
const claims = (outcomes) =>
  outcomes.flatMap(({ mail, info }) =>
    (info?.accepted ?? []).map((to) => [mail.messageId, info.envelope.from || '', to].join(' ')),
  );

const facts = (deliveries) => deliveries.map(({ id, from, to }) => [id, from, to].join(' '));

/** Waits until everything that was claimed has arrived, and says what has, for these outcomes. */
async function arrived(outcomes, box) {
  const ids = new Set(outcomes.map(({ mail }) => mail.messageId));
  const wanted = claims(outcomes);
  const end = Date.now() + PATIENCE;
  for (;;) {
    const found = box.read().filter(({ id }) => ids.has(id));
    const missing = new Set(wanted);
    facts(found).forEach((fact) => missing.delete(fact));
    if (missing.size === 0 || Date.now() > end) return found;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** The text of a mail as nodemailer composes it, with the line ends of a file. */
async function composed(mail) {
  const { message } = await compose.sendMail(mail);
  const text = message.toString('latin1').replace(/\r\n?/g, '\n');
  return text.endsWith('\n') ? text : `${text}\n`;
}

/** Deliveries that do not end with exactly what was sent. */
async function damaged(outcomes, deliveries) {
  const texts = new Map();
  for (const { mail } of outcomes) texts.set(mail.messageId, await composed(mail));
  return deliveries.filter(({ id, text }) => !text.endsWith(texts.get(id)));
}

/** What a caller sees, without what differs from run to run. */
function seen(outcomes, masks = []) {
  const mask = (text) =>
    [[/<\d{4}\./g, '<run.'], ...masks].reduce((all, [pattern, to]) => all.replace(pattern, to), text);
  const plain = (value) => {
    if (typeof value === 'string') return mask(value);
    if (Array.isArray(value)) return value.map(plain);
    if (value === null || typeof value !== 'object') return value;
    const entries = Object.entries(value).filter(([key]) => !APART.has(key));
    const fields = Object.fromEntries(entries.map(([key, item]) => [key, plain(item)]));
    return value instanceof Error || 'message' in value
      ? { ...fields, message: mask(value.message) }
      : fields;
  };
  return outcomes.map(({ info, error }) => plain(info ?? error));
}

module.exports = { composed, send, claims, facts, arrived, damaged, seen };
