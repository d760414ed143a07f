#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Records the plugin ABI: reads the SDK's headers and writes C that compiles only while the ABI is what it is now.

gen-layout.py layout INCLUDE_DIR VERSION   offsets and sizes of all members, sizes of structures, values of constants
gen-layout.py sig INCLUDE_DIR VERSION      types of all members, functions with their exact signatures

The numbers come from the compiler ($CC, else cc). `make abi-record` writes both files; CHANGELOG.md then says why.
"""
import os
import re
import subprocess
import sys
import tempfile

HEADERS = ["types.h", "plugin.h", "exchange.h", "body.h", "async.h", "later.h", "host.h"]
# Passed with a stride, so that they may grow at their end; others without a `size` may never grow.
STRIDED = {"sp_hook", "sp_option", "sp_need", "sp_header_line", "sp_slice"}


def clean(text):
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)", " ", text)
    return re.sub(r"^\s*#.*(?:\\\n.*)*$", " ", text, flags=re.M)


def split_top(text, mark):
    """Splits at marks outside parentheses and brackets."""
    parts, depth, start = [], 0, 0
    for i, ch in enumerate(text):
        depth += (ch in "([{") - (ch in ")]}")
        if ch == mark and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [" ".join(p.split()) for p in parts + [text[start:]] if p.strip()]


def members(body):
    """(name, type with %s in place of the name) of each member."""
    out = []
    for declaration in split_top(body, ";"):
        function = re.match(r"^(.*?)\(\*\s*(\w+)\)\s*(\(.*\))$", declaration)
        if function:
            out.append((function.group(2), "%s(*%%s)%s" % (function.group(1), function.group(3))))
            continue
        first, *others = split_top(declaration, ",")
        base, star, name, array = re.match(r"^(.*?)([*\s]*)\b(\w+)\s*((?:\[[^\]]*\])*)$", first).groups()
        out.append((name, "%s %s%%s%s" % (base, star.strip(), array)))
        for other in others:
            star, name, array = re.match(r"^([*\s]*)(\w+)\s*((?:\[[^\]]*\])*)$", other).groups()
            out.append((name, "%s %s%%s%s" % (base, star.strip(), array)))
    return out


def read(folder):
    text = "\n".join(clean(open(os.path.join(folder, "sallyport", h), encoding="utf-8").read()) for h in HEADERS)
    text = re.sub(r'extern "C" \{', " ", text)
    structs, constants, typedefs = [], [], []
    for match in re.finditer(r"\bstruct\s+(\w+)\s*\{([^{}]*)\}", text):
        structs.append((match.group(1), members(match.group(2))))
    for match in re.finditer(r"\benum\s*\{([^{}]*)\}", text):
        constants += [c.split("=")[0].strip() for c in split_top(match.group(1), ",")]
    for match in re.finditer(r"\btypedef\s+((?!struct\s+\w+\s*\{)[^;{}]*);", text):
        flat = " ".join(match.group(1).split())
        function = re.match(r"^(.*?)\(\*\s*(\w+)\)\s*(\(.*\))$", flat)
        if function:
            typedefs.append((function.group(2), "%s(*)%s" % (function.group(1), function.group(3))))
        else:
            base, name = flat.rsplit(" ", 1)
            typedefs.append((name, base))
    return structs, constants, typedefs


MACROS = ["SP_MAGIC", "SP_ABI_MAJOR", "SP_CTX_MAX", "SP_METRIC_LABELS", "SP_DICT_ABSENT"]


def measure(folder, structs, constants):
    """Values of the expressions, by the compiler."""
    wanted = []
    for name, fields in structs:
        wanted.append("sizeof(struct %s)" % name)
        for field, _ in fields:
            wanted += ["offsetof(struct %s, %s)" % (name, field), "sizeof(((struct %s *)0)->%s)" % (name, field)]
    wanted += constants + MACROS
    with tempfile.TemporaryDirectory() as work:
        source, program = os.path.join(work, "probe.c"), os.path.join(work, "probe")
        with open(source, "w", encoding="utf-8") as f:
            f.write("#include <sallyport/abi.h>\n#include <stdio.h>\nint main(void)\n{\n")
            for w in wanted:
                f.write('    printf("%%lld\\n", (long long)(%s));\n' % w)
            f.write("    return 0;\n}\n")
        cc = os.environ.get("CC", "cc").split()
        subprocess.run(cc + ["-std=gnu11", "-I", folder, source, "-o", program], check=True)
        numbers = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    return dict(zip(wanted, numbers))


def head(version, what):
    return ("/* SPDX-License-Identifier: Apache-2.0 */\n"
            "/* ABI %s: %s. Made by sdk/abi/gen-layout.py (make abi-record);\n"
            " * a change here is a change of the ABI and is explained in CHANGELOG.md. */\n"
            "#include <sallyport/abi.h>\n\n" % (version, what))


def layout(folder, version):
    structs, constants, _ = read(folder)
    value = measure(folder, structs, constants)
    out = [head(version, "where every member stands and what every constant is"),
           "#define AT(s, m, o, n) \\\n"
           "    _Static_assert(offsetof(struct s, m) == (o) && sizeof(((struct s *)0)->m) == (n), #s \".\" #m)\n"
           "#define EXACTLY(s, n) _Static_assert(sizeof(struct s) == (n), #s)\n"
           "#define AT_LEAST(s, n) _Static_assert(sizeof(struct s) >= (n), #s)\n"
           "#define IS(c, v) _Static_assert((c) == (v), #c)\n"]
    for name, fields in structs:
        grows = name in STRIDED or (fields and fields[0][0] == "size") or name == "sp_plugin"
        out.append("\n%s(%s, %s);\n" % ("AT_LEAST" if grows else "EXACTLY", name, value["sizeof(struct %s)" % name]))
        for field, _ in fields:
            out.append("AT(%s, %s, %s, %s);\n" % (name, field, value["offsetof(struct %s, %s)" % (name, field)],
                                                  value["sizeof(((struct %s *)0)->%s)" % (name, field)]))
    out.append("\n")
    out += ["IS(%s, %s);\n" % (c, value[c]) for c in constants]
    out.append("\n")
    out += ["IS((int64_t)%s, %s);\n" % (c, value[c]) for c in MACROS]
    return "".join(out)


def sig(folder, _version):
    structs, _, typedefs = read(folder)
    out = [head(_version, "the type of every member, functions with their signatures"),
           "#define TYPE(expression, ...) \\\n"
           "    _Static_assert(__builtin_types_compatible_p(__typeof__(expression), __VA_ARGS__), #expression)\n\n"]
    out += ["TYPE((%s)0, %s);\n" % t for t in typedefs]
    for name, fields in structs:
        out.append("\n")
        for field, kind in fields:
            flat = " ".join((kind % "").split()).replace("(* )", "(*)").replace("* )", "*)").replace(" (*)", "(*)")
            out.append("TYPE(((struct %s *)0)->%s, %s);\n" % (name, field, flat))
    out.append("\nTYPE(&sp_entry, sp_entry_fn);\n")
    return "".join(out)


def main(argv):
    if len(argv) != 4 or argv[1] not in ("layout", "sig"):
        sys.stderr.write(__doc__)
        return 2
    sys.stdout.write({"layout": layout, "sig": sig}[argv[1]](argv[2], argv[3]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
