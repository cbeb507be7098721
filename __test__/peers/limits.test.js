'use strict';

/** Servers that end a session when they have had enough: nobody hears of it but the pool. */

const { against } = require('./against');
const { exim } = require('./exim');
const { postfix } = require('./postfix');

const numbered = (count) => Array.from({ length: count }, (_, i) => ({ from: `sender-${i}@peers.test` }));
const refused = { to: 'refused@peers.test' };

const all = (name, options, count) => ({ name, alone: true, rungs: 'near', options, mails: numbered(count) });

/** Long runs of refused mail between good ones. */
const mostlyRefused = {
  name: 'the server closes on errors: good mail arrives, refused mail fails by its own refusal',
  alone: true,
  rungs: 'near',
  sent: 4,
  options: { maxConnections: 1 },
  mails: numbered(40).map((mail, i) => (i % 10 === 9 ? mail : { ...mail, ...refused })),
  check: (outcomes) => {
    for (const { error } of outcomes.filter((outcome) => outcome.error)) {
      expect(error).toMatchObject({
        code: 'EENVELOPE',
        responseCode: 550,
        phase: 'envelope',
        maybeDelivered: false,
      });
    }
  },
};

describe('messages in a session', () => {
  const settings = 'smtp_accept_max_per_connection = 4';
  against(exim(settings), { offers: [] }, [
    all('421 in place of the answer to MAIL', { maxConnections: 2 }, 30),
    all('421 with one connection', { maxConnections: 1 }, 12),
  ]);
});

describe('commands that are no mail', () => {
  against(exim(), { offers: [] }, [mostlyRefused]);
});

describe('errors in a session', () => {
  against(postfix(), { offers: [] }, [mostlyRefused]);
});

describe('connections of a client', () => {
  against(postfix({ smtpd_client_connection_count_limit: 2 }), { offers: [] }, [
    all('421 in place of the greeting', { maxConnections: 6 }, 40),
  ]);
});
