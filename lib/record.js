'use strict';

const MailComposer = require('nodemailer/lib/mail-composer');
const { addressees } = require('./record/address');
const { GENERATED, dateNow, dateText, headerNames } = require('./record/headers');
const { dkimOptions } = require('./record/dkim');
const { canonicalDsn } = require('./record/dsn');
const { Parts } = require('./record/parts');
const { randomHex } = require('./record/random');
const { ComposedPath, composedPath, text } = require('./record/reason');
const { Tokens } = require('./record/tokens');
const { Tree } = require('./record/tree');

/** Random octets a message is given for its id, and one of several parts for its boundaries. */
const ID_OCTETS = 16;
const BOUNDARY_OCTETS = 8;
const ENCODINGS = ['', 'Q', 'B'];
const WINDOWS = ['win', 'windows', 'dos', '\r\n'];

/**
 * Turns a message, after its compile plugins, into the record the engine composes from. All that
 * is random or depends on the clock is fixed here, so that composing twice gives the same bytes.
 *
 * @param {object} mail nodemailer's MailMessage
 * @param {object} [fixed] date and random values to use, for tests
 * @returns {{text: string, parts: Array<string|Buffer>, isWhole: boolean}|{reason: string}} the
 *   record, and whether nothing of the caller's is wanted beside it; or why the message has to be
 *   composed by nodemailer. An input nodemailer refuses gives a reason too, so that the error is
 *   nodemailer's own.
 */
function toRecord(mail, fixed) {
  try {
    const { data } = mail;
    const parts = new Parts(!data.disableFileAccess);
    const root = new Tree(data, parts).root();
    addMessageHeaders(mail, root.headers);
    const settings = { dkim: dkimOptions(mail, parts) };
    addSettings(settings, data, fixed);
    addEnvelope(settings, data);
    if (typeof data.normalizeHeaderKey === 'function') {
      settings.names = headerNames(data.normalizeHeaderKey, headerKeys(root));
    }
    const tokens = new Tokens();
    writeNode(tokens, root);
    const recipients = settings.envelope ? settings.envelope.to.length : tokens.recipients;
    const date = fixed?.date ? dateText(fixed.date) : dateNow();
    const seed = randomHex(root.nodes ? BOUNDARY_OCTETS + ID_OCTETS : ID_OCTETS);
    const facts = [recipients, recipientLimit(data), date, seed];
    const isWhole = parts.areStrings && !tokens.hasRaw;
    return { text: tokens.join(settings, facts), parts: parts.values, isWhole };
  } catch (err) {
    return { reason: err instanceof ComposedPath ? err.reason : 'input' };
  }
}

/** What few messages ask for, and what tests want to be the same every time. */
function addSettings(settings, data, fixed) {
  const encoding = (data.textEncoding || '').toString().trim().charAt(0).toUpperCase();
  if (!ENCODINGS.includes(encoding)) {
    composedPath('option');
  }
  settings.encoding = encoding || undefined;
  settings.boundary = data.baseBoundary ? text(data.baseBoundary, 'boundary') : fixed?.boundary;
  settings.id = fixed?.id;
  if (data.boundaryPrefix) {
    settings.prefix = text(data.boundaryPrefix, 'boundary');
  }
  if (data.newline) {
    settings.newline = WINDOWS.includes(data.newline.toString().toLowerCase()) ? 'windows' : 'unix';
  }
}

/** Most recipients the message may have, 0 for any number; nothing for the usual bound. */
function recipientLimit({ maxRecipients }) {
  if (maxRecipients === undefined) {
    return '';
  }
  const limit = maxRecipients || 0;
  return Number.isInteger(limit) && limit >= 0 ? limit : composedPath('option');
}

/** The caller's envelope and what else goes with the commands of the transaction. */
function addEnvelope(settings, data) {
  const { envelope } = data;
  const dsn = data.dsn || envelope?.dsn;
  if (dsn) {
    settings.dsn = canonicalDsn(dsn);
  }
  if (data.requireTLSExtensionEnabled || envelope?.requireTLSExtensionEnabled) {
    settings.requireTls = true;
  }
  if (envelope) {
    const size = Math.floor(Number(envelope.size) || 0);
    settings.envelope = addressees(envelope);
    settings.size = size > 0 && Number.isSafeInteger(size) ? size : undefined;
    settings.use8BitMime = !!envelope.use8BitMime;
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
  addNamedHeaders(data, headers);
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

/** Headers that have an option of their own. Every message comes here: a loop over names is slower. */
function addNamedHeaders(data, headers) {
  headers.setIf('From', data.from);
  headers.setIf('Sender', data.sender);
  headers.setIf('To', data.to);
  headers.setIf('Cc', data.cc);
  headers.setIf('Bcc', data.bcc);
  headers.setIf('Reply-To', data.replyTo);
  headers.setIf('In-Reply-To', data.inReplyTo);
  headers.setIf('References', data.references);
  headers.setIf('Subject', data.subject);
  headers.setIf('Message-ID', data.messageId);
  headers.setIf('Date', data.date);
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

/** A part with its headers, its content or the parts within. */
function writeNode(tokens, { headers, filename, content, raw, nodes }) {
  headers.write(tokens);
  if (filename) {
    tokens.filename(filename);
  }
  if (raw) {
    tokens.raw(raw);
  } else if (content) {
    tokens.content(content);
  }
  if (nodes) {
    tokens.nodes(nodes, (node) => writeNode(tokens, node));
  }
}

function headerKeys({ headers, nodes = [] }) {
  return [...headers.keys(), ...nodes.flatMap(headerKeys)];
}

module.exports = { toRecord };
