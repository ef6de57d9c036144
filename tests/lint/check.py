#!/usr/bin/env python3
"""Rules of STYLE.md and DESIGN.md 11 that no compiler checks: layers, purity, lone headers, sizes, foreign libraries.

    check.py BUILD_DIR      BUILD_DIR holds the static libraries of a release build (purity reads their symbols)

Prints one line a finding, `file:line: rule: what`, and `lint: N findings`; exit status 1 when there are any.
"""
import collections
import os
import pathlib
import re
import subprocess
import sys
import concurrent.futures

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build").resolve()

PURE = "base wire catalog schedule session stats evidence provider score exec agent".split()
FILE_LINES_MAX, FUNCTION_LINES_MAX, LINE_COLUMNS_MAX = 800, 70, 120

# One foreign library, one file pair (STYLE.md rule 20).
FOREIGN = {
    "jansson.h": "common/base/json", "yaml.h": "common/base/yaml", "pcre2.h": "common/base/regex",
    "utf8proc.h": "common/base/unicode", "zmq.h": "common/io/zsock", "curl/curl.h": "common/io/http_client",
    "libpq-fe.h": "coordinator/store/pg", "microhttpd.h": "coordinator/http/server",
    "protobuf-c/protobuf-c.h": "common/wire/", "proto/assay.pb-c.h": "common/wire/",
}
SODIUM_FILES = ("common/base/hash", "common/io/keys", "common/io/zsock")

# What pure code may call outside its own archives: memory, text and mathematics, nothing that sees the world.
ALLOWED = set("""
memcpy memmove memset memcmp memchr memrchr memmem strlen strnlen strcmp strncmp strchr strrchr strstr strcasecmp strncasecmp
strspn strcspn snprintf vsnprintf strtod qsort bsearch abort __errno_location __stack_chk_fail __memcpy_chk __memset_chk
__memmove_chk __snprintf_chk __vsnprintf_chk __strncat_chk __ctype_b_loc bcmp __isoc99_sscanf _GLOBAL_OFFSET_TABLE_
__tls_get_addr
acos asin atan atan2 cbrt ceil cos cosh erf erfc exp exp2 expm1 fabs floor fma fmax fmin fmod frexp hypot ldexp lgamma_r
log log10 log1p log2 lrint lround llround llrint modf nearbyint nextafter pow rint round sin sinh sqrt tan tanh tgamma trunc
__popcountdi2 __udivti3 __umodti3 __divti3
__isinf __isnan __finite isnan signgam
""".split())

# The base alone reaches foreign libraries, by their in-memory calls, and the heap and stderr of check() and mem.
BASE_FILES = {
    "check.c": {"stderr", "fprintf", "vfprintf", "fputc", "__fprintf_chk", "__vfprintf_chk", "fwrite"},
    "mem.c": {"calloc", "realloc", "free", "malloc"},
    "json.c": re.compile(r"json_(?!dump|load_file|loadf|dumpf|load_callback|object_seed$)|json_object_seed|free|malloc"),
    "json_write.c": re.compile(r"json_"),
    "yaml.c": re.compile(r"yaml_(parser|event|document)_(?!set_input_file|set_input$)"),
    "regex.c": re.compile(r"pcre2_(?!jit)"),
    "unicode.c": re.compile(r"utf8proc_|free"),
    "hash.c": re.compile(r"crypto_generichash|sodium_memcmp|sodium_init"),
}
WIRE_FOREIGN = re.compile(r"protobuf_c_|assay__wire__")


def fail(findings, where, rule, text):
    findings.append(f"{where}: {rule}: {text}")


def libraries():
    """name -> (folder, names it may use), from the table in CMakeLists.txt."""
    table = {}
    for m in re.finditer(r"^assay_library\(\s*(\w+)\s+(\S+)(?:\s+USES\s+([\w ]*?))?\s*(?:FOREIGN[\w ]*)?\)",
                         (ROOT / "CMakeLists.txt").read_text(), re.M):
        table[m[1]] = (m[2], (m[3] or "").split())
    return table


def sources():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.c", "*.h"], cwd=ROOT, text=True,
                         capture_output=True, check=True).stdout.split()
    return [pathlib.Path(p) for p in sorted(out) if (ROOT / p).exists()]


def check_layers(files, table, findings):
    folder_of = {name: folder for name, (folder, _) in table.items()}
    for path in files:
        if path.parts[0] not in ("common", "coordinator", "worker"):
            continue
        owner = next((n for n, (f, _) in table.items() if str(path.parent) == f), None)
        allowed = {str(path.parent)}
        if owner:
            allowed |= {folder_of[u] for u in table[owner][1] if u in folder_of}
        elif path.parts[:2] in (("coordinator", "main"), ("worker", "main")) or str(path.parent) == "coordinator/cli/main":
            allowed |= {f for f in folder_of.values() if f.startswith(("common", path.parts[0]))}
        for number, line in enumerate((ROOT / path).read_text(errors="replace").splitlines(), 1):
            m = re.match(r'\s*#include "((?:common|coordinator|worker|tests)/[^"]+)"', line)
            if m and str(pathlib.Path(m[1]).parent) not in allowed:
                fail(findings, f"{path}:{number}", "layers", f"{path.parent} may not include {m[1]}")
            m = re.match(r"\s*#include [<\"]([^>\"]+)[>\"]", line)
            if not m:
                continue
            home = FOREIGN.get(m[1])
            if home and not str(path).startswith(home):
                fail(findings, f"{path}:{number}", "foreign", f"only {home}.[ch] may include {m[1]}")
            if m[1] == "sodium.h" and not str(path).startswith(SODIUM_FILES):
                fail(findings, f"{path}:{number}", "foreign", "sodium.h is for hash, keys and zsock")


def symbols(archive):
    """object -> (undefined, defined)"""
    out = subprocess.run(["nm", "-A", "--no-demangle", str(archive)], text=True, capture_output=True, check=True).stdout
    result = collections.defaultdict(lambda: (set(), set()))
    for line in out.splitlines():
        m = re.match(r"[^:]*:([^:]+):\s*(?:[0-9a-f]+)?\s+(\w)\s+(\S+)", line)
        if m:
            result[m[1]][0 if m[2] == "U" else 1].add(m[3])
    return result


def check_purity(table, findings):
    archives = {}
    for name in PURE:
        archive = next(iter(BUILD.glob(f"libassay_{name}.a")), None)
        if not archive:
            fail(findings, str(BUILD), "purity", f"libassay_{name}.a is not built")
            continue
        archives[name] = symbols(archive)
    for name, objects in archives.items():
        reach = set()
        for used in [name] + table[name][1]:
            for _, defined in archives.get(used, {}).values():
                reach |= defined
        for obj, (undefined, _) in objects.items():
            source = obj.removesuffix(".o")
            extra = BASE_FILES.get(source) if name == "base" else WIRE_FOREIGN if name == "wire" else None
            for symbol in sorted(undefined - reach - ALLOWED):
                if isinstance(extra, set) and symbol in extra:
                    continue
                if isinstance(extra, re.Pattern) and extra.match(symbol):
                    continue
                fail(findings, f"{table[name][0]}/{source}", "purity", f"calls {symbol}")


def check_state(table, findings):
    """Pure code has no variable that outlives a call: constants lie in .rodata or .data.rel.ro. The one exception is
    the fault injector of mem.c, one for each thread."""
    for name in PURE:
        archive = BUILD / f"libassay_{name}.a"
        if not archive.exists():
            continue  # check_purity() has said so
        out = subprocess.run(["objdump", "-t", str(archive)], text=True, capture_output=True, check=True).stdout
        source = ""
        for line in out.splitlines():
            if ": " in line and "file format" in line:
                source = line.split(":")[0].removesuffix(".o")
            m = re.match(r"[0-9a-f]+ (.{7}) (\S+)\t([0-9a-f]+) (?:\.hidden )?(\S+)$", line)
            if not m or "d" in m[1] or int(m[3], 16) == 0 or (name, source) == ("base", "mem.c"):
                continue
            if re.match(r"\.t?bss|\.t?data(?!\.rel\.ro)", m[2]) or m[2] == "*COM*":
                fail(findings, f"{table[name][0]}/{source}", "state", f"'{m[4]}' outlives a call ({m[2]})")


def check_headers(files, findings):
    headers = [p for p in files if p.suffix == ".h" and p.parts[0] in ("common", "coordinator", "worker")]
    flags = ["-std=c17", "-D_GNU_SOURCE", f"-I{ROOT}", f"-I{BUILD}", "-Wall", "-Wextra", "-Wno-unused", "-fsyntax-only", "-xc",
             "-Wno-pragma-once-outside-header", f"-include{ROOT}/common/base/banned.h"]

    def alone(path):
        return path, subprocess.run(["gcc", *flags, str(ROOT / path)], text=True, capture_output=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, result in pool.map(alone, headers):
            if result.returncode != 0:
                fail(findings, str(path), "alone", (result.stderr.splitlines() or ["does not compile alone"])[0])
            guard = "ASSAY_"
            if f"#ifndef {guard}" not in (ROOT / path).read_text():
                fail(findings, str(path), "guard", "no ASSAY_..._H include guard")


def check_sizes(files, findings):
    sizes = []
    for path in files:
        lines = (ROOT / path).read_text(errors="replace").split("\n")
        in_tests = path.parts[0] == "tests"
        if not in_tests:
            sizes.append(len(lines))
        if len(lines) > FILE_LINES_MAX:
            fail(findings, str(path), "size", f"{len(lines)} lines, at most {FILE_LINES_MAX}")
        start = name = None
        for number, line in enumerate(lines, 1):
            width = len(line.expandtabs(8))
            if width > LINE_COLUMNS_MAX and '"' not in line and "clang-format off" not in line and "http" not in line:
                fail(findings, f"{path}:{number}", "width", f"{width} columns")
            if re.search(r"\b(TODO|FIXME|XXX|HACK)\b", line):
                fail(findings, f"{path}:{number}", "later", "finish it or say it in the README")
            if line.startswith("{") and number > 1:
                start, name = number, lines[number - 2]
            elif line.startswith("}") and start:
                if number - start + 1 > FUNCTION_LINES_MAX + 2 and "(" in (name or "") and not in_tests:
                    fail(findings, f"{path}:{start}", "function", f"{number - start - 1} lines, at most {FUNCTION_LINES_MAX}")
                start = None
    sizes.sort()
    if sizes:
        print(f"lint: {len(sizes)} files, median {sizes[len(sizes) // 2]} lines, largest {sizes[-1]}")


def check_folders(table, findings):
    for folder in sorted({f for f, _ in table.values()} | {"proto", "common", "coordinator", "worker", "tests", "deploy"}):
        path = ROOT / folder
        if path.is_dir() and any(path.iterdir()) and not (path / "README.md").exists():
            fail(findings, folder, "readme", "a folder says why it exists")


def main():
    findings = []
    table = libraries()
    files = sources()
    check_layers(files, table, findings)
    check_purity(table, findings)
    check_state(table, findings)
    check_headers(files, findings)
    check_sizes(files, findings)
    check_folders(table, findings)
    for finding in findings:
        print(finding)
    print(f"lint: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
