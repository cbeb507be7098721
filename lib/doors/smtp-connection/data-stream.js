'use strict';

module.exports = require('nodemailer/lib/smtp-connection/data-stream');
