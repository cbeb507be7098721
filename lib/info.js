'use strict';

const { toRefusal } = require('./errors');

/** Replies in which a server says which Message-ID it gave the message. */
const OUTLOOK_REPLY = /^250 2\.0\.0 OK (<[^<>\s]+\.prod\.outlook\.com>)/i;
const SES_REPLY = /^250 Ok ([0-9a-f]+(?:-[0-9a-f]+)+)$/i;
const SES_DOMAINS = ['amazonaws.com', 'awsapps.com'];
const AWS_REGION = /^[a-z]{2}(?:-[a-z]+)+-\d+$/;

/**
 * Makes the `info` of a message that was sent, key for key as nodemailer does.
 *
 * @param {object} event the engine's `sent` event
 * @param {string[]} [ehlo] EHLO lines of the connection
 * @param {string} [host] the server's name
 */
function toInfo(event, ehlo, host) {
  const info = {
    accepted: event.accepted || event.to.slice(),
    rejected: event.refused ? event.refused.map(({ recipient }) => recipient) : [],
  };
  if (ehlo && ehlo.length) {
    info.ehlo = ehlo.slice();
  }
  const errors = event.refused && event.refused.map(toRefusal);
  // LMTP refuses after the data, when the times are known already.
  const late = errors?.every((err) => err.phase === 'rejected');
  if (errors && !late) {
    info.rejectedErrors = errors;
  }
  info.envelopeTime = event.et;
  info.messageTime = event.mt;
  info.messageSize = event.ms;
  info.response = event.r;
  const serverMessageId = readServerMessageId(event.r, host);
  if (serverMessageId) {
    info.serverMessageId = serverMessageId;
  }
  if (late) {
    info.rejectedErrors = errors;
  }
  info.envelope = { from: event.from, to: event.to };
  info.messageId = event.mid;
  return info;
}

/** The Message-ID that Microsoft 365 and Amazon SES name in their final reply. */
function readServerMessageId(response, host) {
  if (!response.startsWith('250 ')) {
    return undefined;
  }
  const reply = response.trim();
  const outlook = reply.match(OUTLOOK_REPLY);
  if (outlook) {
    return outlook[1];
  }
  const ses = reply.match(SES_REPLY);
  const region = ses && host && sesRegion(host);
  if (!region) {
    return undefined;
  }
  const domain = region === 'us-east-1' ? 'email' : region;
  return `<${ses[1].toLowerCase()}@${domain}.amazonses.com>`;
}

function sesRegion(host) {
  const labels = host.toLowerCase().replace(/\.$/, '').split('.');
  if (!SES_DOMAINS.includes(labels.slice(-2).join('.'))) {
    return undefined;
  }
  return labels.slice(0, -2).find((label) => AWS_REGION.test(label));
}

module.exports = { toInfo };
