'use strict';

const { contract } = require('../support/contract');

contract('plugins', require('./rows/plugins'));
