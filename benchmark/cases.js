'use strict';

// What is compared: a workload, the sink it is sent to and the transport it is sent with. `default`
// cases run when none is named.

const SMTP_SINK = { kind: 'smtp-sink' };
const KIT = { kind: 'kit' };
const ROUND_TRIPS = [1, 20, 50, 100];

const plain = (name, workload, sink, more = {}) => ({ name, workload, sink, connections: 5, ...more });

/** The same small messages over a longer and longer way, with what the server offers as second axis. */
function roundTrips() {
  const messages = (rtt) => Math.max(300, Math.round(8000 / rtt));
  return ROUND_TRIPS.flatMap((rtt) => [
    plain(`rtt-${rtt}-pipelining`, 'small', { ...KIT, rtt }, { messages: messages(rtt) }),
    plain(`rtt-${rtt}-chunking`, 'small', { ...KIT, rtt, chunking: true }, { messages: messages(rtt) }),
  ]);
}

const CASES = [
  plain('small', 'small', SMTP_SINK, { default: true }),
  plain('newsletter', 'newsletter', SMTP_SINK, { default: true }),
  plain('attachment-1mb', 'buffer-1mb', SMTP_SINK, { default: true }),
  plain('small-kit', 'small', KIT),
  plain('attachment-1mb-kit', 'buffer-1mb', KIT),
  plain('attachment-1mb-path', 'path-1mb', KIT),
  plain('attachment-5mb', 'buffer-5mb', KIT),
  plain('attachment-5mb-path', 'path-5mb', KIT),
  plain('recipients-10', 'recipients-10', KIT),
  plain('recipients-100', 'recipients-100', KIT),
  plain('recipients-1000', 'recipients-1000', KIT),
  plain('tls', 'small', { ...KIT, tls: true }),
  plain('starttls', 'small', { ...KIT, starttls: true }),
  plain('max-messages-1', 'small', SMTP_SINK, { messages: 400, transport: { maxMessages: 1 } }),
  plain('refused', 'refused', { ...KIT, refuse: 'refused-*' }),
  plain('delayed-ack', 'small', { ...KIT, nagle: true }, { messages: 500 }),
  plain('smtp-server', 'small', { kind: 'smtp-server' }, { messages: 1000 }),
  plain('connections-1', 'small', SMTP_SINK, { connections: 1, messages: 4000 }),
  plain('connections-20', 'small', SMTP_SINK, { connections: 20 }),
  ...roundTrips(),
  plain('burst-1000', 'burst-1000', SMTP_SINK),
  plain('burst-100000', 'burst-100000', SMTP_SINK),
];

/** Cases by name, where `*` stands for any characters; the default ones when no name is given. */
function selectCases(patterns) {
  if (patterns.length === 0) return CASES.filter((one) => one.default);
  const matches = (name, pattern) =>
    new RegExp(`^${pattern.split('*').map(escapeRegExp).join('.*')}$`).test(name);
  return CASES.filter((one) => patterns.some((pattern) => matches(one.name, pattern)));
}

function escapeRegExp(text) {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

module.exports = { CASES, selectCases };
