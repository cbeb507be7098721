'use strict';

const MailComposer = require('nodemailer/lib/mail-composer');
const { addressees, countMailboxes } = require('./record/address');
const { GENERATED, dateNow, dateText, headerNames } = require('./record/headers');
const { dkimOptions } = require('./record/dkim');
const { canonicalDsn } = require('./record/dsn');
const { Parts } = require('./record/parts');
const { randomHex, randomId } = require('./record/random');
const { ComposedPath, composedPath, text } = require('./record/reason');
const { Tree } = require('./record/tree');

const NAMED = [
  ['from', 'From'],
  ['sender', 'Sender'],
  ['to', 'To'],
  ['cc', 'Cc'],
  ['bcc', 'Bcc'],
  ['replyTo', 'Reply-To'],
  ['inReplyTo', 'In-Reply-To'],
  ['references', 'References'],
  ['subject', 'Subject'],
  ['messageId', 'Message-ID'],
  ['date', 'Date'],
];
const MAX_RECIPIENTS = 100000;
const ENCODINGS = ['', 'Q', 'B'];
const WINDOWS = ['win', 'windows', 'dos', '\r\n'];

/**
 * Turns a message, after its compile plugins, into the record the engine composes from. All that
 * is random or depends on the clock is fixed here, so that composing twice gives the same bytes.
 *
 * @param {object} mail nodemailer's MailMessage
 * @param {object} [fixed] date and random values to use, for tests
 * @returns {{json: string, parts: Array<string|Buffer>}|{reason: string}} the record, or why the
 *   message has to be composed by nodemailer. An input nodemailer refuses gives a reason too, so
 *   that the error is nodemailer's own.
 */
function toRecord(mail, fixed) {
  try {
    const { data } = mail;
    const parts = new Parts(!data.disableFileAccess);
    const root = new Tree(data, parts).root();
    addMessageHeaders(mail, root.headers);
    // the engine reads the number of recipients off the front of the record
    const record = { recipients: 0 };
    addIdentity(record, data, fixed);
    addSettings(record, data);
    addEnvelope(record, data);
    record.dkim = dkimOptions(mail, parts);
    record.root = plainNode(root);
    record.recipients = countRecipients(record);
    if (typeof data.normalizeHeaderKey === 'function') {
      record.names = headerNames(data.normalizeHeaderKey, fieldKeys(record.root));
    }
    return { json: stringify(record), parts: parts.values };
  } catch (err) {
    return { reason: err instanceof ComposedPath ? err.reason : 'input' };
  }
}

/** What makes this message one of its own. */
function addIdentity(record, data, fixed) {
  record.boundary = data.baseBoundary ? text(data.baseBoundary, 'boundary') : fixed?.boundary || randomHex(8);
  record.id = fixed?.id || randomId();
  record.date = fixed?.date ? dateText(fixed.date) : dateNow();
}

function addSettings(record, data) {
  const encoding = (data.textEncoding || '').toString().trim().charAt(0).toUpperCase();
  const limit = data.maxRecipients === undefined ? MAX_RECIPIENTS : data.maxRecipients || 0;
  if (!ENCODINGS.includes(encoding) || !Number.isInteger(limit) || limit < 0) {
    composedPath('option');
  }
  record.encoding = encoding || undefined;
  record.maxRecipients = limit;
  if (data.boundaryPrefix) {
    record.prefix = text(data.boundaryPrefix, 'boundary');
  }
  if (data.newline) {
    record.newline = WINDOWS.includes(data.newline.toString().toLowerCase()) ? 'windows' : 'unix';
  }
}

/** The caller's envelope and what else goes with the commands of the transaction. */
function addEnvelope(record, data) {
  const { envelope } = data;
  const dsn = data.dsn || envelope?.dsn;
  if (dsn) {
    record.dsn = canonicalDsn(dsn);
  }
  if (data.requireTLSExtensionEnabled || envelope?.requireTLSExtensionEnabled) {
    record.requireTls = true;
  }
  if (envelope) {
    const size = Math.floor(Number(envelope.size) || 0);
    record.envelope = addressees(envelope);
    record.size = size > 0 && Number.isSafeInteger(size) ? size : undefined;
    record.use8BitMime = !!envelope.use8BitMime;
  }
}

/** The message's own headers on top of the root part's, in nodemailer's order. */
function addMessageHeaders(mail, headers) {
  const { data } = mail;
  if (data.headers) {
    headers.add(data.headers);
  }
  if (data.otp) {
    headers.set('OTP-Token', new MailComposer({ otp: data.otp }).compile().getHeader('OTP-Token'));
  }
  for (const [name, key] of NAMED) {
    if (data[name]) {
      headers.set(key, data[name]);
    }
  }
  if (!headers.get('Message-ID')) {
    headers.set('Message-ID', GENERATED);
  } else if (!text(headers.get('Message-ID'), 'message-id').isWellFormed()) {
    composedPath('message-id');
  }
  if (data.xMailer) {
    headers.set('X-Mailer', data.xMailer);
  }
  addPriority(data.priority, headers);
  if (data.list && typeof data.list === 'object') {
    for (const { key, value } of mail._getListHeaders(data.list)) {
      value.forEach((entry) => headers.add(key, entry));
    }
  }
}

function addPriority(priority, headers) {
  const level = (priority || '').toString().toLowerCase();
  const values = { high: ['1 (Highest)', 'High'], low: ['5 (Lowest)', 'Low'] }[level];
  if (values) {
    headers.set('X-Priority', values[0]);
    headers.set('X-Msmail-Priority', values[1]);
    headers.set('Importance', values[1]);
  }
}

function plainNode({ headers, filename, content, raw, nodes }) {
  return { headers: headers.fields(), filename, content, raw, nodes: nodes?.map(plainNode) };
}

function countRecipients({ envelope, root }) {
  if (envelope) {
    return envelope.to.length;
  }
  const fields = root.headers.filter(({ k }) => k === 'To' || k === 'Cc' || k === 'Bcc');
  return fields.reduce((count, { a }) => count + countMailboxes(a), 0);
}

function fieldKeys({ headers, nodes = [] }) {
  return [...headers.map((field) => field.k), ...nodes.flatMap(fieldKeys)];
}

/** JSON that UTF-8 can hold: a lone surrogate reads as U+FFFD, which it would be in the message. */
function stringify(record) {
  const json = JSON.stringify(record);
  if (!/\\ud[89a-f]/.test(json)) {
    return json;
  }
  return JSON.stringify(record, (key, value) => (typeof value === 'string' ? value.toWellFormed() : value));
}

module.exports = { toRecord };
