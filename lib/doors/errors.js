'use strict';

module.exports = require('nodemailer/lib/errors');
