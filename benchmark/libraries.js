'use strict';

/** What is compared, by name; loaded in the process that is measured. */
const LIBRARIES = { nodemailer: () => require('nodemailer'), postpool: () => require('..') };

module.exports = { LIBRARIES };
