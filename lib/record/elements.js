'use strict';

const { detectExtension, detectMimeType } = require('nodemailer/lib/mime-funcs');
const { parseDataURI } = require('nodemailer/lib/shared');
const { composedPath, text } = require('./reason');

/** Longer data URIs come out empty, as nodemailer has it. */
const MAX_DATA_URI = 52428800;

/** Tells a description of content (something to load or to use as is) from content itself. */
function isDescription(value) {
  return typeof value === 'object' && !!(value.content || value.path || value.href || value.raw);
}

/** The caller's object with some properties replaced, itself untouched. */
function overlay(object, properties) {
  const entries = Object.entries(properties).map(([key, value]) => [key, { value, enumerable: true }]);
  return Object.create(object, Object.fromEntries(entries));
}

/** Describes content of a known type. */
function described(value, contentType) {
  if (typeof value.pipe === 'function') {
    composedPath('stream');
  }
  return isDescription(value) ? overlay(value, { contentType }) : { content: value, contentType };
}

/** Resolves a `data:` URI without touching the caller's object. */
function withoutDataUri(element) {
  const uri = element.path || element.href;
  if (typeof uri !== 'string' || !/^data:/i.test(uri)) {
    return element;
  }
  const parsed = uri.length > MAX_DATA_URI ? null : parseDataURI(uri);
  if (!parsed) {
    return composedPath('data-uri');
  }
  const contentType = element.contentType || parsed.contentType;
  return overlay(element, { content: parsed.data, contentType, path: false, href: false });
}

function contentOf(element) {
  if (element.path) {
    return /^https?:\/\//i.test(element.path)
      ? composedPath('href')
      : { path: text(element.path, 'content') };
  }
  return element.href ? composedPath('href') : element.content || '';
}

/** Whether `7bit` describes the content of a message part, which cannot be encoded. */
function fitsSevenBit(content) {
  const ascii = Buffer.isBuffer(content) ? content.toString('latin1') : content;
  // any of ASCII but NUL
  return typeof ascii === 'string' && /^[\x01-\x7f]*$/.test(ascii) && !/[^\r\n]{999}/.test(ascii);
}

function attachmentEncoding(attachment, isMessage) {
  if ('contentTransferEncoding' in attachment) {
    return attachment.contentTransferEncoding;
  }
  if (isMessage) {
    return !attachment.encoding && fitsSevenBit(attachment.content) ? '7bit' : '8bit';
  }
  return 'base64';
}

/** The last segment of a path or URL; a backslash separates too. */
function baseName(location) {
  return location.split(/[/\\]/).pop().split('?').shift();
}

function attachmentName(attachment, nr, contentType, isMessage) {
  if (attachment.filename) {
    return attachment.filename;
  }
  if (isMessage || attachment.filename === false) {
    return undefined;
  }
  const name = baseName(attachment.path || attachment.href || '') || `attachment-${nr}`;
  return name.indexOf('.') < 0 ? `${name}.${detectExtension(contentType)}` : name;
}

function attachmentElement(given, nr) {
  const attachment = withoutDataUri(isObject(given) ? given : composedPath('attachment'));
  const { cid, encoding, headers, raw } = attachment;
  const location = attachment.filename || attachment.path || attachment.href || 'bin';
  const contentType = text(attachment.contentType || detectMimeType(location), 'content-type');
  const isMessage = /^message\//i.test(contentType);
  const inline = isMessage || (/^image\//i.test(contentType) && cid);
  return {
    contentType,
    contentDisposition: attachment.contentDisposition || (inline ? 'inline' : 'attachment'),
    contentTransferEncoding: attachmentEncoding(attachment, isMessage),
    filename: attachmentName(attachment, nr, contentType, isMessage),
    cid,
    encoding,
    headers,
    raw,
    content: raw ? '' : contentOf(attachment),
  };
}

function alternativeElement(given) {
  const alternative = withoutDataUri(isObject(given) ? given : composedPath('alternative'));
  const { encoding, headers, raw, filename, contentTransferEncoding } = alternative;
  const location = filename || alternative.path || alternative.href || 'txt';
  return {
    contentType: text(alternative.contentType || detectMimeType(location), 'content-type'),
    contentTransferEncoding,
    filename,
    encoding,
    headers,
    raw,
    content: raw ? '' : contentOf(alternative),
  };
}

function isObject(value) {
  return (
    value !== null && typeof value === 'object' && !Buffer.isBuffer(value) && typeof value.pipe !== 'function'
  );
}

/**
 * The calendar event as alternative and as attachment. The attachment's headers are set on the
 * caller's object, so they show in the alternative too when there is one.
 */
function eventElements(value) {
  const event = withoutDataUri(isDescription(value) ? { ...value } : { content: value });
  const { raw, encoding, cid, contentTransferEncoding, contentDisposition, headers: own } = event;
  const given = raw ? '' : contentOf(event);
  const isFile = typeof given.path === 'string' && typeof given.pipe !== 'function';
  // one reading serves both parts
  const content = isFile ? { path: given.path, href: given.href, whole: true } : given;
  if (own && (!isObject(own) || Array.isArray(own))) {
    composedPath('header');
  }
  const common = { content, raw, encoding, contentTransferEncoding };
  const attached = { ...own, 'Content-Disposition': 'attachment', 'Content-Transfer-Encoding': 'base64' };
  const method = (event.method || 'PUBLISH').toString().trim().toUpperCase();
  const contentType = `text/calendar; charset=utf-8; method=${method}`;
  const filename = event.filename || 'invite.ics';
  return {
    alternative: { ...common, contentType, headers: own ? attached : {} },
    attachment: {
      ...common,
      contentType: 'application/ics',
      filename,
      headers: attached,
      cid,
      contentDisposition,
    },
  };
}

/** Everything of a message that shows the same, in order. */
function alternatives(data, event) {
  const given = [
    data.text && described(data.text, 'text/plain; charset=utf-8'),
    data.watchHtml && described(data.watchHtml, 'text/watch-html; charset=utf-8'),
    data.amp && described(data.amp, 'text/x-amp-html; charset=utf-8'),
    data.html && described(data.html, 'text/html; charset=utf-8'),
    event && event.alternative,
  ].filter(Boolean);
  return given.concat(data.alternatives || []).map(alternativeElement);
}

/** Everything attached, and apart from it what the HTML refers to. */
function attachments(data, event, hasHtml) {
  const elements = [].concat(data.attachments || []).map((given, i) => attachmentElement(given, i + 1));
  const extra = event ? [event.attachment] : [];
  if (!hasHtml) {
    return { attached: elements.concat(extra), related: [] };
  }
  return {
    attached: elements.filter((element) => !element.cid).concat(extra),
    related: elements.filter((element) => element.cid),
  };
}

module.exports = { alternatives, attachments, eventElements };
