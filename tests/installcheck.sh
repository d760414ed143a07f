#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a plugin author meets after `make install`: the project that `sallyport plugin new` writes builds out of tree against
# the installed headers, passes its test, and takes part in a running gateway. Called by `make installcheck`, which sets
# the directories; DESTDIR may be set.
set -eu
: "${DESTDIR=}" "${bindir:?}" "${datadir:?}" "${includedir:?}" "${plugindir:?}" "${pkgconfigdir:?}"
: "${CC:=cc}" "${PYTHON:=python3}" "${PKG_CONFIG:=pkg-config}" "${top_srcdir:=}"
bin=$DESTDIR$bindir/sallyport
PKG_CONFIG_PATH=$DESTDIR$pkgconfigdir${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
if test -n "$DESTDIR"; then
    # The .pc file says where things will be; this is where they are now.
    unset PKG_CONFIG_SYSROOT_DIR
    PKG_CONFIG="$PKG_CONFIG --define-variable=prefix=$DESTDIR${prefix:?}"
fi
PYTHONDONTWRITEBYTECODE=1
export PKG_CONFIG_PATH PKG_CONFIG CC PYTHON PYTHONDONTWRITEBYTECODE
work=$(mktemp -d "${TMPDIR:-/tmp}/sallyport-install.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

say() { echo "installcheck: $*"; }
die() { say "FAILED: $*"; exit 1; }

test -x "$bin" || die "$bin is not there: run make install first"
"$bin" version > /dev/null || die "sallyport version"
for name in abi async body exchange host later plugin sugar types; do
    test -f "$DESTDIR$includedir/sallyport/$name.h" || die "the header $name.h is not installed"
done
for name in headers respond; do
    test -f "$DESTDIR$plugindir/$name.so" || die "the plugin $name is not installed"
    "$bin" plugin check "$DESTDIR$plugindir/$name.so" > check.log || { cat check.log; die "plugin check $name.so"; }
done
for name in noop chaos misuse; do
    test ! -e "$DESTDIR$plugindir/$name.so" || die "the test plugin $name is installed"
done
test -z "$(find "$DESTDIR$plugindir" -name '*.la')" || die "libtool files are installed among the plugins"
say "what is installed is complete"

cflags=$($PKG_CONFIG --cflags sallyport-plugin) || die "pkg-config does not find sallyport-plugin"
for std in c11 c17 gnu11; do
    printf '#include <sallyport/abi.h>\n' | $CC -std=$std -Wall -Wextra -Wpedantic -Werror $cflags -x c -fsyntax-only - ||
        die "the headers do not compile as $std"
done
if command -v g++ > /dev/null; then
    printf '#include <sallyport/abi.h>\n' | g++ -std=c++17 -Wall -Wextra -Werror $cflags -x c++ -fsyntax-only - ||
        die "the headers do not compile as C++17"
fi
say "the headers compile by themselves"

"$bin" plugin new hello --template "$DESTDIR$datadir/sallyport/template" > new.log 2>&1 || { cat new.log; die "plugin new"; }
grep -rq '@PLUGIN@' hello && die "plugin new left marks of the template"
make -C hello SALLYPORT="$bin" > make.log 2>&1 || { cat make.log; die "the project does not build"; }
grep -i 'warning' make.log && die "the project builds with warnings"
make -C hello check SALLYPORT="$bin" > check.log 2>&1 || { cat check.log; die "the project's test does not pass"; }
make -C hello install DESTDIR="$work/root" > make.log 2>&1 || { cat make.log; die "the project does not install"; }
test -n "$(find "$work/root" -name hello.so)" || die "the project installed nothing"
"$bin" plugin check hello/hello.so > check.log || { cat check.log; die "plugin check hello.so"; }
"$bin" plugin new hello --template "$DESTDIR$datadir/sallyport/template" > new.log 2>&1 && die "plugin new wrote over a project"
"$bin" plugin new 'No Good' --template "$DESTDIR$datadir/sallyport/template" > new.log 2>&1 && die "plugin new took a bad name"
say "a new project builds, passes its test and installs"

cat > running.py <<'END'
import os
from harness import Backend, Gateway
with Backend() as backend, Gateway(plugin_dirs=["hello", os.environ["INSTALLED"]], backend=backend) as gateway:
    before = gateway.request("GET", "/pets")
    assert before.status == 200 and before.header("x-hello") is None, before
    gateway.plugins = [{"use": "hello", "with": {"greeting": "out of tree"}},
                       {"use": "headers", "with": {"request": {"set": {"X-Seen": "$context.requestId"}}}}]
    code, text = gateway.reload()
    assert code == 0, text
    after = gateway.request("GET", "/pets")
    assert after.status == 200 and after.header("x-hello") == "out of tree", after
    assert len(backend.requests[-1].header("X-Seen")) == 36, backend.requests[-1]
END
INSTALLED="$DESTDIR$plugindir" SALLYPORT_TEST_BIN="$bin" PYTHONPATH="$DESTDIR$datadir/sallyport/testing" "$PYTHON" running.py ||
    die "the plugin does not take part in a running gateway"
say "a running gateway takes it in by reload and answers with its header"

m4dir=$DESTDIR$datadir/aclocal
test -f "$m4dir/sallyport-plugin.m4" || die "the m4 macro is not installed"
if command -v autoreconf > /dev/null && command -v libtoolize > /dev/null; then
    mkdir auto && cp hello/plugin.c auto/plugin.c
    cat > auto/configure.ac <<'END'
AC_INIT([hello], [1])
AC_CONFIG_MACRO_DIRS([m4])
AM_INIT_AUTOMAKE([foreign])
AC_PROG_CC
LT_INIT([disable-static])
SALLYPORT_CHECK_PLUGIN([0])
AC_CONFIG_FILES([Makefile])
AC_OUTPUT
END
    cat > auto/Makefile.am <<'END'
plugindir = $(SALLYPORT_PLUGINDIR)
plugin_LTLIBRARIES = hello.la
hello_la_SOURCES = plugin.c
hello_la_CPPFLAGS = $(SALLYPORT_CFLAGS)
hello_la_LDFLAGS = $(SALLYPORT_LDFLAGS)
END
    mkdir auto/m4
    (cd auto && ACLOCAL_PATH="$m4dir" autoreconf -i && ./configure && make) > auto.log 2>&1 ||
        { tail -30 auto.log; die "a plugin with autotools does not build"; }
    "$bin" plugin check auto/.libs/hello.so > check.log || { cat check.log; die "plugin check of the autotools plugin"; }
    say "the m4 macro builds a plugin with autotools"
fi
say "passed"
