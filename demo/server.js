// An SMTP server in a process of its own. It counts; it keeps no mail.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { SMTPServer } = require('smtp-server');

const CERTIFICATE = path.join(__dirname, 'certs', 'localhost.crt');
const LOGIN = { user: 'newsletter', pass: 'demo' };
const MESSAGE_ID = /^message-id:\s*(<[^>\r\n]*>)/im;
// The header of a newsletter is far smaller; more is not searched.
const HEADER_LIMIT = 64 * 1024;

/** What arrived: how often each Message-ID did, and over which connections. */
const seen = { messages: new Map(), sessions: new Map(), bytes: 0 };

function receive(stream, session, callback) {
  let header = '';
  stream.on('data', (chunk) => {
    seen.bytes += chunk.length;
    if (header.length < HEADER_LIMIT) header += chunk.toString('latin1');
  });
  stream.on('error', callback);
  stream.on('end', () => {
    const id = MESSAGE_ID.exec(header.split('\r\n\r\n', 1)[0])?.[1] ?? '(none)';
    seen.messages.set(id, (seen.messages.get(id) ?? 0) + 1);
    seen.sessions.set(session.id, (seen.sessions.get(session.id) ?? 0) + 1);
    callback(null, 'OK: counted');
  });
}

function authenticate(auth, _session, callback) {
  const known = auth.username === LOGIN.user && auth.password === LOGIN.pass;
  callback(known ? null : new Error('Wrong user name or password'), known && { user: LOGIN.user });
}

function report() {
  return {
    messages: [...seen.messages],
    perConnection: [...seen.sessions.values()],
    bytes: seen.bytes,
  };
}

const server = new SMTPServer({
  key: fs.readFileSync(CERTIFICATE.replace(/crt$/, 'key')),
  cert: fs.readFileSync(CERTIFICATE),
  authMethods: ['PLAIN', 'LOGIN'],
  disableReverseLookup: true,
  onAuth: authenticate,
  onData: receive,
});

// A client that goes away in the middle is the client's affair.
server.on('error', () => {});
// Ctrl-C reaches this process too, but the messages in flight are still to arrive.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit(0));
process.on('message', () => process.send({ report: report() }));
server.listen(0, '127.0.0.1', () => process.send({ port: server.server.address().port }));
