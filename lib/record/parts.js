'use strict';

const { composedPath } = require('./reason');

/** Longer strings travel beside the record: they are copied once and never escaped. */
const INLINE = 512;

/** The large values of one record, and what its contents refer to them by. */
class Parts {
  constructor(fileAccess) {
    this.values = [];
    /** No `Buffer` and no file among them, nor in the record. */
    this.areStrings = true;
    this.fileAccess = fileAccess;
  }

  /** A reference to content: a string, a `Buffer`, or `{ path }`. */
  content(value) {
    if (typeof value === 'string') {
      return value.length <= INLINE ? { text: value } : this.beside(value);
    }
    if (Buffer.isBuffer(value)) {
      this.areStrings = false;
      return this.beside(value);
    }
    if (typeof value.pipe === 'function') {
      return composedPath('stream');
    }
    if (typeof value.path === 'string' && !value.href) {
      return this.file(value);
    }
    return composedPath(value.href ? 'href' : 'content');
  }

  file({ path, whole }) {
    if (!this.fileAccess) {
      return composedPath('file-access');
    }
    this.areStrings = false;
    return whole ? { whole: path } : { file: path };
  }

  beside(value) {
    this.values.push(value);
    return { part: this.values.length - 1 };
  }
}

module.exports = { Parts };
