# SPDX-License-Identifier: Apache-2.0
# Macros of Sallyport's own build: libraries reported together when missing, plugin switches, sanitizers.

# SALLYPORT_MISSING(WHAT, DEBIAN, FEDORA): notes a missing requirement; SALLYPORT_REPORT prints them all.
AC_DEFUN([SALLYPORT_MISSING], [
sp_missing="${sp_missing}$1|$2|$3
"
])

# SALLYPORT_NEED_PKG(VARIABLE, PKG-CONFIG MODULES, DEBIAN, FEDORA): sets VARIABLE_CFLAGS and VARIABLE_LIBS.
AC_DEFUN([SALLYPORT_NEED_PKG], [
PKG_CHECK_MODULES([$1], [$2], [], [SALLYPORT_MISSING([$2], [$3], [$4])])
])

# SALLYPORT_NEED_LIBEV: Debian's libev has no .pc file, Fedora's has.
AC_DEFUN([SALLYPORT_NEED_LIBEV], [
sp_ev=no
PKG_CHECK_MODULES([EV], [libev >= 4.20], [sp_ev=yes], [
    AC_CHECK_HEADER([ev.h], [
        AC_CHECK_LIB([ev], [ev_loop_new], [
            sp_ev=yes
            EV_LIBS=-lev])])])
AS_IF([test "$sp_ev" = no], [SALLYPORT_MISSING([libev], [libev-dev], [libev-devel])])
AC_SUBST([EV_CFLAGS])
AC_SUBST([EV_LIBS])
])

# SALLYPORT_NEED_LLHTTP: Debian ships llhttp as sources, which we compile in strict mode; elsewhere it is a library.
AC_DEFUN([SALLYPORT_NEED_LLHTTP], [
AC_ARG_VAR([LLHTTP_SRCDIR], [folder of llhttp's api.c, http.c and llhttp.c @<:@/usr/share/llhttp@:>@])
AC_ARG_VAR([LLHTTP_INCDIR], [folder of llhttp.h that belongs to LLHTTP_SRCDIR @<:@/usr/share/include/llhttp@:>@])
: ${LLHTTP_SRCDIR=/usr/share/llhttp}
: ${LLHTTP_INCDIR=/usr/share/include/llhttp}
sp_llhttp=no
AC_MSG_CHECKING([for llhttp's sources])
AS_IF([test -f "$LLHTTP_SRCDIR/api.c" && test -f "$LLHTTP_SRCDIR/http.c" &&
       test -f "$LLHTTP_SRCDIR/llhttp.c" && test -f "$LLHTTP_INCDIR/llhttp.h"],
    [sp_llhttp=source
     LLHTTP_CFLAGS="-I$LLHTTP_INCDIR -DLLHTTP_STRICT_MODE=1"
     AC_MSG_RESULT([$LLHTTP_SRCDIR])],
    [AC_MSG_RESULT([no])
     PKG_CHECK_MODULES([LLHTTP], [libllhttp],
        [sp_llhttp=library
         LLHTTP_CFLAGS="$LLHTTP_CFLAGS -DLLHTTP_STRICT_MODE=1"],
        [SALLYPORT_MISSING([llhttp], [node-llhttp], [llhttp-devel])])])
AC_SUBST([LLHTTP_CFLAGS])
AC_SUBST([LLHTTP_LIBS])
AM_CONDITIONAL([LLHTTP_FROM_SOURCE], [test "$sp_llhttp" = source])
])

# SALLYPORT_PLUGIN(NAME, [PKG-CONFIG MODULES], [DEBIAN], [FEDORA]): the switch --with-plugin-NAME.
# Sets the conditional PLUGIN_<NAME> and PLUGIN_<NAME>_CFLAGS and _LIBS (upper case, - becomes _).
AC_DEFUN([SALLYPORT_PLUGIN], [
m4_pushdef([SP_UP], m4_translit([$1], [a-z-], [A-Z_]))
AC_ARG_WITH([plugin-$1], [AS_HELP_STRING([--with-plugin-$1=yes|shared|no],
    [build the plugin $1: yes requires its libraries, shared leaves it out without them @<:@shared@:>@])],
    [], [AS_VAR_SET([AS_TR_SH([with_plugin_$1])], [shared])])
AS_VAR_COPY([sp_want], [AS_TR_SH([with_plugin_$1])])
sp_build=yes
AS_CASE([$sp_want],
    [no], [sp_build=no],
    [yes|shared], [m4_ifval([$2], [
        PKG_CHECK_MODULES([PLUGIN_]SP_UP, [$2], [], [
            sp_build=no
            AS_IF([test "$sp_want" = yes],
                [SALLYPORT_MISSING([$2 (plugin $1)], [$3], [$4])],
                [AC_MSG_NOTICE([plugin $1 is left out: $2 is missing (Debian: $3, Fedora: $4)])
                 sp_want="left out: $2 is missing"])])], [:])],
    [AC_MSG_ERROR([--with-plugin-$1=$sp_want: expected yes, shared or no])])
AM_CONDITIONAL([PLUGIN_]SP_UP, [test "$sp_build" = yes])
sp_plugins="$sp_plugins
    AS_HELP_STRING([$1], [], [22], [22])$sp_want"
m4_popdef([SP_UP])
])

# SALLYPORT_CC_FLAG(VARIABLE, FLAG): appends FLAG to VARIABLE when the compiler takes it without a warning.
AC_DEFUN([SALLYPORT_CC_FLAG], [
AS_VAR_PUSHDEF([sp_cache], [sp_cv_flag_$2])
AC_CACHE_CHECK([whether $CC takes $2], [sp_cache], [
    sp_save=$CFLAGS
    CFLAGS="$CFLAGS $WARN_CFLAGS -Werror $2"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])], [AS_VAR_SET([sp_cache], [yes])],
        [AS_VAR_SET([sp_cache], [no])])
    CFLAGS=$sp_save])
AS_VAR_IF([sp_cache], [yes], [$1="$$1 $2"])
AS_VAR_POPDEF([sp_cache])
])

# SALLYPORT_SANITIZER: --with-sanitizer=LIST and --with-fuzzer; sets SAN_CFLAGS, SAN_LDFLAGS and sp_san.
AC_DEFUN([SALLYPORT_SANITIZER], [
AC_ARG_WITH([sanitizer], [AS_HELP_STRING([--with-sanitizer=LIST],
    [address,undefined or thread: build everything with these sanitizers])], [], [with_sanitizer=no])
AC_ARG_WITH([fuzzer], [AS_HELP_STRING([--with-fuzzer],
    [build the targets of tests/fuzz with clang's libFuzzer (adds address,undefined)])], [], [with_fuzzer=no])
sp_san=$with_sanitizer
AS_IF([test "$with_fuzzer" != no], [
    AS_IF([test "$sp_clang" != yes], [AC_MSG_ERROR([--with-fuzzer needs clang: configure CC=clang])])
    AS_IF([test "$sp_san" = no], [sp_san=address,undefined])
    sp_fuzz=fuzzer-no-link,])
AS_CASE([$sp_san],
    [yes|no|''], [AS_IF([test "$sp_san" != no],
        [AC_MSG_ERROR([--with-sanitizer wants a list: address,undefined or thread])])],
    [*address*thread*|*thread*address*], [AC_MSG_ERROR([the sanitizers address and thread exclude each other])])
AS_IF([test "$sp_san" != no], [
    SAN_CFLAGS="-fsanitize=$sp_fuzz$sp_san -fno-omit-frame-pointer"
    AS_CASE([$sp_san], [*undefined*], [SAN_CFLAGS="$SAN_CFLAGS -fno-sanitize-recover=undefined"])
    SAN_LDFLAGS="-fsanitize=$sp_fuzz$sp_san"
    AC_MSG_CHECKING([whether $CC links with $SAN_CFLAGS])
    sp_save=$CFLAGS
    CFLAGS="$CFLAGS $SAN_CFLAGS"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [AC_MSG_RESULT([yes])], [AC_MSG_RESULT([no])
        AC_MSG_ERROR([$CC does not know $sp_san or lacks its runtime (Debian: gcc brings it, clang wants libclang-rt-14-dev)])])
    CFLAGS=$sp_save])
AS_IF([test "$with_fuzzer" != no], [
    FUZZ_LDFLAGS="-fsanitize=fuzzer"])
AC_SUBST([SAN_CFLAGS])
AC_SUBST([SAN_LDFLAGS])
AC_SUBST([FUZZ_LDFLAGS])
AM_CONDITIONAL([FUZZER], [test "$with_fuzzer" != no])
])

# SALLYPORT_REPORT: fails with every missing requirement and the packages that have them.
AC_DEFUN([SALLYPORT_REPORT], [
AS_IF([test -n "$sp_missing"], [
    sp_debian= sp_fedora=
    {
        AS_ECHO([""])
        AS_ECHO(["configure: these requirements are missing:"])
        AS_ECHO([""])
        printf '    %-28s %-20s %s\n' "what" "Debian package" "Fedora package"
        printf '%s' "$sp_missing" | while IFS='|' read -r what debian fedora; do
            printf '    %-28s %-20s %s\n' "$what" "$debian" "$fedora"
        done
        sp_debian=`printf '%s' "$sp_missing" | cut -d'|' -f2 | sort -u | tr '\n' ' '`
        sp_fedora=`printf '%s' "$sp_missing" | cut -d'|' -f3 | sort -u | tr '\n' ' '`
        AS_ECHO([""])
        AS_ECHO(["    Debian: apt-get install $sp_debian"])
        AS_ECHO(["    Fedora: dnf install $sp_fedora"])
        AS_ECHO([""])
    } >&2
    AC_MSG_ERROR([install what the table above names, then run configure again])])
])
