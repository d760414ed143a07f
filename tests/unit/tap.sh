#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs one cmocka program with TAP output and joins the plans of its groups into one.
# tests/fuzz/replay_NAME gets the files of tests/fuzz/corpus/NAME, and is one test.
# A program that dies, hangs or exits with an error after its last test is a failed test of its own.
limit=${UNIT_TIMEOUT:-300}
out=$(mktemp "${TMPDIR:-/tmp}/sallyport-tap.XXXXXX") || exit 99
trap 'rm -f "$out"' EXIT
replay=
case $1 in
*/replay_*)
    replay=${1##*/replay_}
    set -- "$1" "${top_srcdir:-.}/tests/fuzz/corpus/$replay"/*
    if [ ! -f "$2" ]; then
        echo "not ok 1 - no corpus in tests/fuzz/corpus/$replay"
        echo "1..1"
        exit 0
    fi
    ;;
esac
CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 10 "$limit" "$@" > "$out" 2>&1
status=$?
[ -n "$replay" ] && [ "$status" = 0 ] && echo "ok 1 - replayed $(($# - 1)) files of $replay" >> "$out"
awk -v status="$status" -v limit="$limit" '
    /^[ \t]*1\.\.[0-9]+/ { next }
    /^TAP version/ { next }
    /^[ \t]*(not )?ok [0-9]+/ {
        sub(/^[ \t]*/, "")
        skipped = /# SKIP/
        bad = /^not / && !skipped
        sub(/^(not )?ok [0-9]+( -)?/, "")
        if (skipped) {
            sub(/^[ -]*# SKIP */, "")
            print "ok " (++n) " # SKIP " $0
            next
        }
        print (bad ? "not ok " : "ok ") (++n) " -" $0
        failed += bad
        next
    }
    { print "# " $0 }
    END {
        if (status == 124 || status == 137)
            print "not ok " (++n) " - the program did not end within " limit " s"
        else if (status > 128)
            print "not ok " (++n) " - the program died of signal " (status - 128)
        else if (status != 0 && !failed)
            print "not ok " (++n) " - the program exited with status " status
        else if (n == 0)
            print "not ok " (++n) " - the program ran no test"
        print "1.." n
    }' "$out"
exit 0
