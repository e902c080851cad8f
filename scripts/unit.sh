#!/bin/sh
# All tests, and after them: has each operation been answered to some test?
set -eu
noted=$(mktemp)
trap 'rm -f "$noted"' EXIT
TEST_OPERATIONS_FILE=$noted node --disable-warning=ExperimentalWarning --test --test-concurrency=2 \
  'src/**/*.test.ts' 'test/**/*.test.ts'
node scripts/untested-operations.ts "$noted" "$@"
