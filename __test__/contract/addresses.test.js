'use strict';

const { contract } = require('../support/contract');

contract('addresses', require('./rows/addresses'));
