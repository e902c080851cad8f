#!/usr/bin/env node
// Where an install script wants to send telemetry, it finds this, which succeeds.
process.exitCode = 0
