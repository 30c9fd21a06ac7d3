#!/usr/bin/env node
// meshctl as a plugin of kubectl, which finds it by this name: `kubectl clustermesh status` is `meshctl clustermesh status`.
require('./meshctl.js');
