'use strict';

const { composedPath } = require('./reason');

const RET = { HDRS: 'HDRS', HEADERS: 'HDRS', FULL: 'FULL', BODY: 'FULL' };
const NOTIFY = ['NEVER', 'SUCCESS', 'FAILURE', 'DELAY'];

/** Delivery status options in canonical form (RFC 3461); refused ones are nodemailer's to report. */
function canonicalDsn(options) {
  const ret = (options.ret || options.return || '').toString().toUpperCase();
  const notify = []
    .concat(typeof options.notify === 'string' ? options.notify.split(',') : options.notify || [])
    .map((entry) => entry.trim().toUpperCase());
  const unknown = notify.some((entry) => !NOTIFY.includes(entry));
  if ((ret && !Object.hasOwn(RET, ret)) || unknown || (notify.length > 1 && notify.includes('NEVER'))) {
    composedPath('dsn');
  }
  const orcpt = (options.recipient || options.orcpt || '').toString();
  return {
    ret: RET[ret] || null,
    envid: (options.envid || options.id || '').toString() || null,
    notify: notify.join(',') || null,
    orcpt: orcpt && !orcpt.includes(';') ? `rfc822;${orcpt}` : orcpt || null,
  };
}

module.exports = { canonicalDsn };
