'use strict';

module.exports = { testMatch: ['<rootDir>/*.case.js'], testEnvironment: 'node', transform: {} };
