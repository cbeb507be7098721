'use strict';

module.exports = require('nodemailer/lib/mail-composer');
