#!/bin/sh
# Exits with 0 when total.sh does what the README says.
set -eu
cd "$(dirname "$0")"
[ "$(sh total.sh 2 3)" = 5 ] || { echo "2 + 3 is wrong"; exit 1; }
[ "$(sh total.sh)" = 0 ] || { echo "an empty basket is wrong"; exit 1; }
echo "all good"
