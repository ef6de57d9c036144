"""invariants.sql, read and asked: what must hold in the database at any moment, and a proof that each query can fail."""
import collections
import pathlib
import re

FILE = pathlib.Path(__file__).with_name("invariants.sql")

Invariant = collections.namedtuple("Invariant", "name broken_by query")


def read():
    """In the order of the file."""
    found = []
    for part in re.split(r"^(?=-- name: )", FILE.read_text(), flags=re.M)[1:]:
        name, broken_by, query = re.fullmatch(r"-- name: (.+)\n-- broken by: (.+)\n((?s:.+?);)\n*", part).groups()
        found.append(Invariant(name, broken_by, query))
    if len(found) < 20:
        raise AssertionError(f"{FILE.name}: only {len(found)} queries were read")
    return found


def violations(sql):
    """`sql`: a function from a query to rows. What is violated, as lines with the first rows."""
    lines = []
    for i in read():
        rows = sql(i.query)
        if rows:
            lines.append(f"{i.name}: {len(rows)} rows, the first {rows[:3]}")
    return lines


def blind(script):
    """`script`: a function from statements to the rows of the last one, as the owner of the tables. Names of queries
    that find nothing although what they look for was just made; nothing stays changed. Needs one run with rows."""
    return [i.name for i in read() if not script(f"BEGIN; {i.broken_by}; {i.query} ROLLBACK;")]
