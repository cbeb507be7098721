'use strict';

module.exports = require('nodemailer/lib/xoauth2');
