'use strict';

const { alternatives, attachments, eventElements } = require('./elements');
const { Headers } = require('./headers');
const { composedPath, text } = require('./reason');

const UTF8 = ['utf8', 'usascii', 'ascii'];

/** Builds the tree of parts: mixed around alternative around related around the contents. */
class Tree {
  constructor(data, parts) {
    this.data = data;
    this.parts = parts;
  }

  /** The root with its own headers, not yet those of the message. */
  root() {
    const { data } = this;
    if (data.raw) {
      return { headers: new Headers(), raw: this.parts.content(data.raw) };
    }
    const event = data.icalEvent ? eventElements(data.icalEvent) : null;
    this.alternatives = alternatives(data, event);
    this.html = this.alternatives.filter((element) => /^text\/html\b/i.test(element.contentType)).pop();
    this.attachments = attachments(data, event, !!this.html);
    const { attached, related } = this.attachments;
    this.useRelated = !!(this.html && related.length);
    this.useAlternative = this.alternatives.length > 1;
    if (attached.length > 1 || (this.alternatives.length && attached.length === 1)) {
      return this.mixed();
    }
    if (this.useAlternative) {
      return this.alternative();
    }
    if (this.useRelated) {
      return this.related();
    }
    return this.leaf(this.alternatives[0] || attached[0] || { contentType: 'text/plain', content: '' });
  }

  mixed() {
    const nodes = [];
    if (this.useAlternative) {
      nodes.push(this.alternative());
    } else if (this.useRelated) {
      nodes.push(this.related());
    } else {
      nodes.push(...this.alternatives.map((element) => this.leaf(element)));
    }
    for (const element of this.attachments.attached) {
      nodes.push(this.leaf(element));
    }
    return branch('multipart/mixed', nodes);
  }

  alternative() {
    const node = (element) =>
      this.useRelated && element === this.html ? this.related() : this.leaf(element);
    return branch('multipart/alternative', this.alternatives.map(node));
  }

  related() {
    const nodes = [this.html, ...this.attachments.related].map((element) => this.leaf(element));
    return branch('multipart/related; type="text/html"', nodes);
  }

  /** One part with its content. */
  leaf(element) {
    const { contentType, cid, filename, raw } = element;
    const headers = new Headers();
    headers.add('Content-Type', contentType);
    if (element.headers) {
      headers.add(element.headers);
    }
    if (cid) {
      headers.set('Content-ID', `<${text(cid, 'cid').replace(/[<>]/g, '')}>`);
    }
    const isText = /^text\//i.test(contentType);
    const transfer = element.contentTransferEncoding || (isText && this.data.encoding);
    if (transfer) {
      headers.set('Content-Transfer-Encoding', text(transfer, 'transfer-encoding'));
    }
    if (!isText || element.contentDisposition) {
      const byKind = cid && /^image\//i.test(contentType) ? 'inline' : 'attachment';
      headers.set('Content-Disposition', text(element.contentDisposition || byKind, 'disposition'));
    }
    const node = { headers, filename: filename ? text(filename, 'filename') : undefined };
    if (raw) {
      node.raw = this.parts.content(raw);
    } else {
      node.content = this.parts.content(decoded(element.content || '', element.encoding));
    }
    return node;
  }
}

/** String content in the encoding it is said to have. */
function decoded(content, encoding) {
  if (typeof content !== 'string' || !encoding) {
    return typeof content === 'string' || typeof content === 'object' ? content : composedPath('content');
  }
  const name = encoding
    .toString()
    .toLowerCase()
    .replace(/[-_\s]/g, '');
  return UTF8.includes(name) ? content : Buffer.from(content, name);
}

function branch(contentType, nodes) {
  const headers = new Headers();
  headers.add('Content-Type', contentType);
  return { headers, nodes };
}

module.exports = { Tree };
