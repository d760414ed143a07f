#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes configure and Makefile.in from configure.ac and Makefile.am. Needs autoconf, automake, libtool, pkg-config.
set -eu
cd "$(dirname "$0")"
for tool in autoreconf automake libtoolize; do
    command -v "$tool" > /dev/null || {
        echo "autogen.sh: $tool is missing; Debian: apt-get install autoconf automake libtool pkg-config" >&2
        exit 1
    }
done
mkdir -p packaging/build-aux
# Two runs in one tree would read each other's half-written files.
exec 9> packaging/build-aux/.autogen.lock
flock 9
exec autoreconf --install "$@"
