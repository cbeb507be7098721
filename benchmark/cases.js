'use strict';

// What is compared: a workload, the sink it is sent to and the transport it is sent with; or, with
// another `measure`, what a queued message costs in memory, and what loading costs. `quick` cases
// run when none is named.

const SMTP_SINK = { kind: 'smtp-sink' };
const KIT = { kind: 'kit' };

const send = (name, workload, sink, more = {}) => ({
  measure: 'traffic',
  name,
  workload,
  sink,
  connections: 5,
  ...more,
});

const queued = (messages) => ({
  measure: 'memory',
  name: `queued-${messages}`,
  workload: 'small',
  messages,
  connections: 5,
});

// A connection for each message. nodemailer waits 100 ms before it replaces one, unless a `sendMail`
// comes meanwhile: so all of them at once, as a campaign is sent, and one after the other.
const ONE_EACH = { transport: { maxMessages: 1 } };

const EXTENSIONS = {
  plain: { pipelining: false },
  pipelining: {},
  chunking: { chunking: true },
};
// Enough that nodemailer is at it for some seconds, at two round trips a message. Without PIPELINING
// it takes twice as long, and there is less to tell apart.
const ROUND_TRIPS = { 0: 8000, 1: 4000, 20: 800, 50: 400, 100: 240 };

/** The same small messages over a longer and longer way, with what the server offers as second axis. */
function roundTrips() {
  return Object.entries(ROUND_TRIPS).flatMap(([rtt, messages]) =>
    Object.entries(EXTENSIONS).map(([extension, offer]) =>
      send(
        `rtt-${rtt}-${extension}`,
        'small',
        { ...KIT, ...offer, rtt: Number(rtt) },
        {
          messages: extension === 'plain' ? messages / 4 : messages,
          quick: rtt === '50' && extension === 'chunking',
        },
      ),
    ),
  );
}

const CASES = [
  send('small', 'small', SMTP_SINK, { quick: true }),
  send('newsletter', 'newsletter', SMTP_SINK, { quick: true }),
  send('attachment-1mb', 'buffer-1mb', SMTP_SINK),
  send('small-kit', 'small', KIT),
  send('newsletter-kit', 'newsletter', KIT),
  send('attachment-1mb-kit', 'buffer-1mb', KIT, { quick: true }),
  send('attachment-1mb-path', 'path-1mb', KIT),
  send('attachment-5mb', 'buffer-5mb', KIT),
  send('attachment-5mb-path', 'path-5mb', KIT),
  send('recipients-10', 'recipients-10', KIT),
  send('recipients-100', 'recipients-100', KIT),
  send('recipients-1000', 'recipients-1000', KIT, { grownFrom: 'recipients-10' }),
  send('tls', 'small', { ...KIT, tls: true }, { quick: true }),
  send('starttls', 'small', { ...KIT, starttls: true }),
  send('max-messages-1', 'small', SMTP_SINK, { ...ONE_EACH, messages: 400, burst: 400, warmUp: 100 }),
  send('max-messages-1-flow', 'small', SMTP_SINK, { ...ONE_EACH, messages: 2000, warmUp: 1000 }),
  send('refused', 'refused', { ...KIT, refuse: 'refused-*' }),
  send('delayed-ack', 'small', { ...KIT, nagle: true }, { messages: 500 }),
  send('smtp-server', 'small', { kind: 'smtp-server' }, { messages: 4000 }),
  send('connections-1', 'small', SMTP_SINK, { connections: 1, messages: 8000 }),
  send('connections-20', 'small', SMTP_SINK, { connections: 20 }),
  send('connections-1-kit', 'small', KIT, { connections: 1, messages: 8000 }),
  send('connections-20-kit', 'small', KIT, { connections: 20 }),
  ...roundTrips(),
  send('burst-1000', 'burst-1000', SMTP_SINK),
  send('burst-100000', 'burst-100000', SMTP_SINK, { grownFrom: 'burst-1000' }),
  queued(20_000),
  queued(100_000),
  { measure: 'load', name: 'load', quick: true },
];

/** Cases by name, where `*` stands for any characters; the quick ones when no name is given. */
function selectCases(patterns) {
  if (patterns.length === 0) return CASES.filter((one) => one.quick);
  const matches = (name, pattern) =>
    new RegExp(`^${pattern.split('*').map(escapeRegExp).join('.*')}$`).test(name);
  return CASES.filter((one) => patterns.some((pattern) => matches(one.name, pattern)));
}

function escapeRegExp(text) {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** A case with other connections, another sink or another round trip, which only the test kit has. */
function variant(one, { connections, rtt, sink }) {
  const kind = sink ?? (rtt === undefined ? one.sink.kind : 'kit');
  const marks = [
    kind !== one.sink.kind && kind,
    connections !== undefined && `${connections}c`,
    rtt !== undefined && `${rtt}ms`,
  ];
  const rename = (name) => [name, ...marks.filter(Boolean)].join('@');
  return {
    ...one,
    name: rename(one.name),
    ...(one.grownFrom && { grownFrom: rename(one.grownFrom) }),
    sink: { ...(kind === one.sink.kind ? one.sink : { kind }), ...(rtt !== undefined && { rtt }) },
    connections: connections ?? one.connections,
  };
}

/** Cases along other axes, where any are given; those that send nothing have none. */
function vary(cases, axes) {
  if (Object.values(axes).every((value) => value === undefined)) return cases;
  return cases.filter(({ measure }) => measure === 'traffic').map((one) => variant(one, axes));
}

module.exports = { CASES, selectCases, vary };
