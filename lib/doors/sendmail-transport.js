'use strict';

require('../upstream');
module.exports = require('nodemailer/lib/sendmail-transport');
