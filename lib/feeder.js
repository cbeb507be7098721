'use strict';

const DataStream = require('nodemailer/lib/smtp-connection/data-stream');

const Encoder = DataStream.default || DataStream;

/** Bytes of a message that the log shows at once. */
const SHOWN = 64 * 1024;

/**
 * Feeds the engine with the bytes of a message that nodemailer composes, as fast as the connection
 * takes them.
 */
class Feeder {
  /**
   * @param {object} engine the native engine
   * @param {number} id the message's number
   * @param {number} attempt which attempt asked for the bytes
   * @param {{bytes: (bytes: Buffer) => void, end: (size: number, source: number) => void}} [log]
   *   shown the bytes as they go out
   */
  constructor(engine, id, attempt, log) {
    this.engine = engine;
    this.id = id;
    this.attempt = attempt;
    this.error = null;
    this.done = false;
    /** Bytes of the message before they are made fit for the wire. */
    this.size = 0;
    this.encoder = log ? encoder(log) : null;
  }

  /** Opens the message's stream and pumps it. */
  start(message) {
    try {
      this.stream = message.createReadStream();
    } catch (err) {
      this.finish(err);
      return;
    }
    this.stream.on('error', (err) => this.finish(err));
    this.stream.on('end', () => this.finish());
    this.stream.on('close', () => this.finish(prematureClose()));
    this.stream.on('data', (piece) => this.feed(piece));
  }

  feed(piece) {
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
    this.size += bytes.length;
    this.encoder?.write(bytes);
    if (!this.done && !this.engine.chunk(this.id, this.attempt, bytes)) {
      this.stream.pause();
    }
  }

  /** The connection has room again. */
  resume() {
    this.stream?.resume();
  }

  finish(err) {
    if (this.done) {
      return;
    }
    this.done = true;
    this.error = err || null;
    this.encoder?.end();
    this.engine.end(this.id, this.attempt, err ? String(err.message) : null);
  }

  /** Nobody wants the bytes any more: release what the stream reads from. */
  stop() {
    this.done = true;
    if (this.stream && !this.stream.destroyed) {
      this.stream.on('error', () => {});
      this.stream.destroy?.();
    }
  }
}

/** Shows bytes as nodemailer's connection would write them, in pieces as large as its own. */
function encoder(log) {
  const stream = new Encoder();
  let gathered = [];
  let size = 0;
  const show = () => {
    if (size) {
      log.bytes(Buffer.concat(gathered));
    }
    gathered = [];
    size = 0;
  };
  stream.on('data', (bytes) => {
    gathered.push(bytes);
    size += bytes.length;
    if (size >= SHOWN) {
      show();
    }
  });
  stream.on('end', () => {
    show();
    log.end(stream.outByteCount, stream.inByteCount);
  });
  return {
    write: (bytes) => stream.write(bytes),
    end: () => {
      show();
      stream.end();
    },
  };
}

function prematureClose() {
  return Object.assign(new Error('Premature close'), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
}

module.exports = { Feeder };
