'use strict';

const { contract } = require('../support/contract');

contract('urls', require('./rows/urls'));
