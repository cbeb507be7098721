'use strict';

const SMTPConnection = require('nodemailer/lib/smtp-connection');
const { localError } = require('./errors');

const readDsn = (SMTPConnection.default || SMTPConnection).prototype._setDsnEnvelope;

/**
 * The envelope of a message that nodemailer composed, as plain fields for the engine. Checks what
 * nodemailer checks before it sends; the engine checks the addresses.
 *
 * @param {object} mail anything with `data` and a `message` that gives its envelope and id
 * @throws {Error} nodemailer's error for what cannot be sent
 */
function envelopeOf({ data = {}, message }) {
  const envelope = message.getEnvelope() || {};
  const messageId = message.messageId();
  const dsn = data.dsn || envelope.dsn;
  const size = Number(envelope.size) || 0;
  return {
    from: address(envelope.from),
    to: [].concat(envelope.to || []).map(address),
    messageId: typeof messageId === 'string' ? messageId : String(messageId ?? ''),
    dsn: dsn ? canonicalDsn(dsn) : null,
    size: size > 0 ? Math.floor(size) : null,
    use8BitMime: !!envelope.use8BitMime,
    requireTLS: !!(data.requireTLSExtensionEnabled || envelope.requireTLSExtensionEnabled),
  };
}

function address(value) {
  return ((value && value.address) || value || '').toString().trim();
}

function canonicalDsn(dsn) {
  try {
    return readDsn(dsn);
  } catch (err) {
    throw localError(`Invalid DSN ${err.message}`, { code: 'EENVELOPE', command: 'API', phase: 'envelope' });
  }
}

/**
 * Builds the headers of every part once, before anything is sent: what nodemailer cannot build, a
 * file name that is a number for one, would throw later where nobody can catch it.
 *
 * @throws {Error} `EMESSAGE`
 */
function checkHeaders(node) {
  try {
    node.buildHeaders?.();
  } catch (err) {
    const fields = { code: 'EMESSAGE', command: 'API', phase: 'queue', cause: err };
    throw localError(`The message cannot be composed: ${err.message}`, fields);
  }
  node.childNodes?.forEach(checkHeaders);
}

module.exports = { checkHeaders, envelopeOf };
