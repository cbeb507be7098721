'use strict';

const { contract } = require('../support/contract');

contract('hooks', require('./rows/hooks'));
