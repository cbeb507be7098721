'use strict';

const { against } = require('./against');
const { dovecot } = require('./dovecot');
const cases = require('./cases');

const full = 'full@peers.test';

/** What LMTP alone can say: an answer for each recipient after the message (RFC 2033 §4.2). */
const own = [
  {
    name: 'one recipient has no room: the others get the mail',
    rungs: true,
    options: { maxConnections: 1 },
    mails: [{ to: ['good@peers.test', full, 'other@peers.test'] }, {}],
    check: ([{ info }]) => {
      expect(info.accepted).toEqual(['good@peers.test', 'other@peers.test']);
      expect(info.rejected).toEqual([full]);
      expect(info.rejectedErrors[0]).toMatchObject({ recipient: full, responseCode: 552, phase: 'rejected' });
    },
  },
  {
    name: 'no recipient has room',
    apart: 'lmtp-all-refused',
    sent: 1,
    options: { maxConnections: 1 },
    mails: [{ to: full }, {}],
    check: ([{ error }]) => {
      expect(error).toMatchObject({
        code: 'EMESSAGE',
        phase: 'rejected',
        rejected: [full],
        maybeDelivered: false,
      });
    },
  },
];

against(
  dovecot(),
  { offers: ['chunking'], port: 'lmtp', options: { lmtp: true }, masks: [[/> \S+ Saved/g, '> Saved']] },
  [...cases, ...own],
);
