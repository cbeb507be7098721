'use strict';

module.exports = require('nodemailer/lib/sendmail-transport');
