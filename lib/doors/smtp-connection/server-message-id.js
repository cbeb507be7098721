'use strict';

module.exports = require('nodemailer/lib/smtp-connection/server-message-id');
