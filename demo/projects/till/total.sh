#!/bin/sh
# Prints the sum of the prices given as arguments.
sum=""
for price in "$@"; do
  sum=$((${sum:-0} + price))
done
echo "$sum"
