'use strict';

const DKIM = require('nodemailer/lib/dkim');
const MailComposer = require('nodemailer/lib/mail-composer');
const MailMessage = require('nodemailer/lib/mailer/mail-message');
const { compose } = require('../../binding.js');
const { toRecord } = require('../../lib/record');

const DATE = new Date(1763775000000);
const BOUNDARY = '0123456789abcdef';

/** Composes with nodemailer. */
async function theirs(data, mailer) {
  const mail = new MailMessage(mailer, data);
  const message = new MailComposer(mail.data).compile();
  mail.message = message;
  mail.setMailerHeader();
  mail.setPriorityHeaders();
  mail.setListHeaders();
  message.date = DATE;
  if (!mail.data.baseBoundary) {
    message.baseBoundary = BOUNDARY;
  }
  if (mail.data.dkim) {
    message.processFunc((input) => new DKIM(mail.data.dkim).sign(input, mail.data._dkim));
  }
  const { from, to } = message.getEnvelope();
  const raw = await message.build();
  return {
    from: (from || '').trim(),
    to: to.map((address) => address.trim()),
    messageId: message.messageId(),
    raw,
  };
}

/** Composes natively; `{ reason }` when the message is left to nodemailer. */
function ours(data, mailer, id) {
  const record = toRecord(new MailMessage(mailer, data), { date: DATE, boundary: BOUNDARY, id });
  return record.reason ? record : compose(record.text, record.parts);
}

function difference(expected, actual) {
  for (const key of ['from', 'to', 'messageId']) {
    if (JSON.stringify(expected[key]) !== JSON.stringify(actual[key])) {
      return `${key}: ${JSON.stringify(expected[key])} / ${JSON.stringify(actual[key])}`;
    }
  }
  const [a, b] = [expected.raw, actual.raw];
  if (a.equals(b)) {
    return null;
  }
  let at = 0;
  while (at < a.length && a[at] === b[at]) {
    at++;
  }
  const around = (buffer) => JSON.stringify(buffer.toString('utf8', Math.max(0, at - 80), at + 80));
  return `octet ${at} of ${a.length}/${b.length}:\n  nodemailer ${around(a)}\n  postpool   ${around(b)}`;
}

/**
 * Composes one message both ways.
 *
 * @param {() => object} make gives the message's data afresh
 * @param {object} [mailer]
 * @returns {Promise<{path: 'native'|'composed'|'refused', reason?: string, difference?: string}>}
 */
async function compare(make, mailer = { options: {}, _defaults: {} }) {
  let expected;
  let refusal;
  try {
    expected = await theirs(make(), mailer);
  } catch (err) {
    refusal = err;
  }
  const id = /^<([0-9a-f-]{36})@/.exec(expected?.messageId)?.[1];
  let actual;
  try {
    actual = ours(make(), mailer, id);
  } catch (err) {
    return refusal ? { path: 'refused' } : { path: 'native', difference: `native error: ${err.message}` };
  }
  if (actual.reason) {
    return { path: refusal ? 'refused' : 'composed', reason: actual.reason };
  }
  if (refusal) {
    return { path: 'native', difference: `nodemailer refuses: ${refusal.message}` };
  }
  return { path: 'native', difference: difference(expected, actual) };
}

module.exports = { compare, ours, theirs };
