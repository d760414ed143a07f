# SPDX-License-Identifier: Apache-2.0
# For plugins of the Sallyport API gateway that are built with autotools. Installed into the aclocal folder.
#
#   SALLYPORT_CHECK_PLUGIN([ABI MAJOR], [IF FOUND], [IF NOT FOUND])
#
# finds the headers by sallyport-plugin.pc and sets, for Makefile.am,
#   SALLYPORT_CFLAGS      where the headers are
#   SALLYPORT_LDFLAGS     what makes a plugin of a libtool library: a plain NAME.so without undefined symbols
#   SALLYPORT_PLUGINDIR   where the gateway looks for plugins
#   SALLYPORT_TESTINGDIR  where harness.py is, for PYTHONPATH
#   SALLYPORT_BIN         the gateway, for tests (SALLYPORT_TEST_BIN of harness.py); empty when it is not installed
#
#   plugindir = $(SALLYPORT_PLUGINDIR)
#   plugin_LTLIBRARIES = hello.la
#   hello_la_SOURCES = hello.c
#   hello_la_CPPFLAGS = $(SALLYPORT_CFLAGS)
#   hello_la_LDFLAGS = $(SALLYPORT_LDFLAGS)
AC_DEFUN([SALLYPORT_CHECK_PLUGIN], [
AC_REQUIRE([PKG_PROG_PKG_CONFIG])
sallyport_why=
PKG_CHECK_EXISTS([sallyport-plugin], [
    sallyport_abi=`$PKG_CONFIG --variable=abi sallyport-plugin`
    m4_ifval([$1], [AS_IF([test "$sallyport_abi" != "$1"],
        [sallyport_why="its plugin ABI is $sallyport_abi, and this plugin needs $1"])], [:])],
    [sallyport_why="sallyport-plugin.pc is not found: install sallyport-dev, or name its folder in PKG_CONFIG_PATH"])
AC_MSG_CHECKING([for the Sallyport plugin headers])
AS_IF([test -z "$sallyport_why"], [
    AC_MSG_RESULT([ABI $sallyport_abi])
    SALLYPORT_CFLAGS=`$PKG_CONFIG --cflags sallyport-plugin`
    SALLYPORT_LDFLAGS="-module -avoid-version -shared -Wl,--no-undefined -Wl,-z,now"
    SALLYPORT_PLUGINDIR=`$PKG_CONFIG --variable=plugindir sallyport-plugin`
    SALLYPORT_TESTINGDIR=`$PKG_CONFIG --variable=testingdir sallyport-plugin`
    SALLYPORT_BIN=`$PKG_CONFIG --variable=bindir sallyport-plugin`/sallyport
    AS_IF([test ! -x "$SALLYPORT_BIN"], [SALLYPORT_BIN=])
    AC_SUBST([SALLYPORT_CFLAGS])
    AC_SUBST([SALLYPORT_LDFLAGS])
    AC_SUBST([SALLYPORT_PLUGINDIR])
    AC_SUBST([SALLYPORT_TESTINGDIR])
    AC_SUBST([SALLYPORT_BIN])
    m4_ifval([$2], [$2], [:])], [
    AC_MSG_RESULT([no])
    m4_ifval([$3], [$3], [AC_MSG_ERROR([Sallyport: $sallyport_why])])])
])
