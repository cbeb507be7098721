'use strict';

const { startSink } = require('../../__test__/support/testkit');

/**
 * The test kit's sink, a Rust program that can do what Postfix's cannot: TLS, CHUNKING, a longer
 * way, replies flushed one by one. It counts messages and octets.
 *
 * `refuse` is a pattern of recipients that it does not take; other options are the kit's own.
 */
async function startKit({ refuse, ...options }) {
  const rule = { at: 'rcpt', do: { reply: '550 5.1.1 No such user' }, address: refuse };
  const sink = await startSink({
    release: true,
    capture: { messages: 0, bodyBytes: 0, totalBytes: 0 },
    checkLineEnds: false,
    script: refuse ? [rule] : [],
    ...options,
  });
  const secured = options.tls || options.starttls;
  return {
    pid: sink.pid,
    transport: {
      host: '127.0.0.1',
      port: sink.port,
      ...(secured
        ? { secure: Boolean(options.tls), requireTLS: true, tls: { ca: sink.ca, servername: 'localhost' } }
        : { ignoreTLS: true }),
    },
    counters: () => sink.stats(),
    stop: () => sink.stop(),
  };
}

module.exports = { startKit };
