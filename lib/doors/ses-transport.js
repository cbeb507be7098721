'use strict';

module.exports = require('nodemailer/lib/ses-transport');
