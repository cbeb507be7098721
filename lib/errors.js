'use strict';

/**
 * Makes the `Error` of a failure the engine reports: nodemailer's fields, and on top of them
 * `phase`, `maybeDelivered` and `enhancedCode`.
 */
function toError(record) {
  const err = new Error(record.message);
  Object.assign(err, systemFields(record.system), nameMismatch(record));
  return describe(err, record);
}

/** What the operating system said, under the names Node gives it. */
function systemFields(system) {
  const fields = {};
  for (const key of ['errno', 'code', 'syscall', 'address', 'port']) {
    if (system?.[key]) {
      fields[key] = system[key];
    }
  }
  if (system?.path) {
    const looksUp = /^(getaddrinfo|query)/.test(system.syscall);
    fields[looksUp ? 'hostname' : 'path'] = system.path;
  }
  return fields;
}

/** What Node adds to the error of a certificate that names another host. */
function nameMismatch({ system, message }) {
  if (system?.code !== 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return {};
  }
  const reason = message.slice(message.indexOf(': ') + 2);
  const host = /^(?:Host: (.*?)\.?|IP: (.*?)) is not /.exec(reason);
  return host ? { reason, host: host[1] ?? host[2] } : { reason };
}

/** Puts the engine's findings on an error, which may be one of the caller's own. */
function describe(err, record) {
  if (record.timeoutType) {
    err.timeoutType = record.timeoutType;
  }
  if (err.code && err.code !== record.code && !err.originalCode) {
    err.originalCode = err.code;
  }
  if (record.code) {
    err.code = record.code;
  }
  if (record.response) {
    err.response = record.response;
  }
  if (record.responseCode) {
    err.responseCode = record.responseCode;
    err.permanent = isPermanent(record.responseCode);
  }
  if (record.command) {
    err.command = record.command;
  }
  if (record.refused) {
    const errors = record.refused.map(toRefusal);
    err.rejected = record.refused.map(({ recipient }) => recipient);
    err.rejectedErrors = errors;
  }
  if (record.accepted) {
    err.accepted = record.accepted;
  }
  if (record.phase) {
    err.phase = record.phase;
  }
  err.maybeDelivered = record.phase === 'in-doubt';
  if (record.enhancedCode) {
    err.enhancedCode = record.enhancedCode;
  }
  return err;
}

/** The error of one recipient. */
function toRefusal({ recipient, e }) {
  return Object.assign(toError(e), { recipient });
}

/** nodemailer's rule: every 5yz, but 503 only says that the session was in the wrong state. */
function isPermanent(code) {
  return code >= 500 && code < 600 && code !== 503;
}

/** nodemailer's error for a message whose signal aborted. */
function abortError(signal) {
  const err = new Error('Message sending aborted', { cause: signal?.reason });
  err.name = 'AbortError';
  err.code = 'EABORT';
  return err;
}

/** An error made here rather than in the engine. */
function localError(message, fields) {
  return Object.assign(new Error(message), fields, { maybeDelivered: false });
}

module.exports = { abortError, describe, localError, toError, toRefusal };
