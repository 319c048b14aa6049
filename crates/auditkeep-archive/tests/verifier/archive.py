"""What lies in an archive: its objects by name, commits, and checkpoints that were kept elsewhere (§1, §4, §7.3).

Part of the verifier in `verify.py`; see there what it is for.
"""

import collections
import functools
import os
import re

from objects import (
    Damaged, JOURNAL, NoteText, Unreadable, anything, canonical, check_body, frontier_root, leaf_hash, note_text, parse_canonical,
    record, sha256, split_note, text, tree_of,
)

PART = re.compile("[A-Za-z0-9_=-][A-Za-z0-9._=-]*")  # of a name (§1)
COMMIT_NAME = re.compile(rf"trails/({PART.pattern})/commits/([0-9]{{20}})\.json")
# What no object's name can have: control characters, and bytes that are not UTF-8, as `os` gives them.
NOT_IN_NAMES = re.compile("[\x00-\x1f\x7f\udc80-\udcff]")


def commit_name(trail, commit_number):
    return f"trails/{trail}/commits/{commit_number:020}.json"


def read_file(file):
    try:
        with open(file, "rb") as opened:
            return opened.read()
    except OSError as error:
        raise Unreadable(str(error)) from error


class Store:
    """A local directory as a set of named objects; with changes, which are objects of other bytes, or None for none."""

    def __init__(self, directory, changes=None):
        self.directory, self.changes = directory, changes or {}
        self.names = names_below(directory) - set(self.changes)
        self.names |= {name for name, data in self.changes.items() if data is not None}
        self.numbers = {}  # trail -> ascending numbers of the commits that are stored
        for name in sorted(self.names):
            match = COMMIT_NAME.fullmatch(name)
            if match and int(match.group(2)) > 0:
                self.numbers.setdefault(match.group(1), []).append(int(match.group(2)))

    def read(self, name):
        """The bytes of an object, or None if there is no such object."""
        if name in self.changes or name not in self.names:
            return self.changes.get(name)
        return read_file(os.path.join(self.directory, name))

    def size(self, name):
        return len(self.read(name))


def names_below(directory):
    names = set()
    for folder, _, files in os.walk(directory, onerror=fail):
        for file in files:
            name = os.path.relpath(os.path.join(folder, file), directory).replace(os.sep, "/")
            names.add(NOT_IN_NAMES.sub(lambda found: f"%{ord(found.group()) & 0xFF:02X}", name))
    return names


def fail(error):
    raise Unreadable(str(error))


@functools.lru_cache(maxsize=4096)  # many damaged archives share most of their commits
def read_commit(data):
    return Commit(data)


class Commit:
    """A commit as it is stored: its body, its note, and the hash of the stored bytes.  Never changed."""

    def __init__(self, data):
        value = parse_canonical(data)
        record({"body": anything, "checkpoint": text})(value, "commit")
        self.body, self.note = value["body"], value["checkpoint"]
        check_body(self.body)
        self.hash = sha256(data).hex()
        self.number, self.trail, self.leaves = self.body["number"], self.body["trail"], self.body["leaves"]
        self.name = commit_name(self.trail, self.number)

    @functools.cached_property
    def note_text(self):
        return note_text(self.body)

    @functools.cached_property
    def body_hash(self):
        return sha256(canonical(self.body)).hex()

    @functools.cached_property
    def leaf_hashes(self):
        return [leaf_hash(canonical(leaf)) for leaf in self.leaves]

    def segments(self):
        return [leaf for leaf in self.leaves if leaf["kind"] == "segment"]

    def events(self, event):
        return [leaf for leaf in self.leaves if leaf.get("event") == event]

    def seals(self):
        return [leaf["heads"] for leaf in self.leaves if leaf["kind"] == "seal"]

    def heads(self):
        """What its seal states, or None if it has no seal."""
        return next(iter(self.seals()), None)

    def size_and_root(self):
        size, nodes = tree_of(self.body)
        return size, frontier_root(nodes).hex()

    def journal_pin(self):
        journal = self.body.get("journal")
        return [Pin(JOURNAL, journal["number"], journal["commit"], self.name, None)] if journal else []


# The object `said_by` says that the trail has this commit, and maybe that its tree has this size and root.
Pin = collections.namedtuple("Pin", "trail number hash said_by tree")


def pins_of_heads(heads, said_by, with_tree):
    return [
        Pin(trail, head["number"], head["commit"], said_by, (head["size"], head["root"]) if with_tree else None)
        for trail, head in heads.items()
    ]


class Checkpoint:
    """A checkpoint that was kept elsewhere: a stored journal commit, or its signed note alone (§7.3)."""

    def __init__(self, name, data):
        self.name = name
        try:
            self.commit = read_commit(data) if data.startswith(b"{") else None
            self.note = self.commit.note if self.commit else data.decode("utf-8")
            signed_text = split_note(self.note)[0]
            self.said = NoteText(signed_text)
            if self.said.trail != JOURNAL or (self.commit and signed_text != self.commit.note_text):
                raise Damaged("the note is not that of a journal commit")
        except (Damaged, UnicodeDecodeError) as error:
            raise Unreadable(f"{name} is not a checkpoint: {error}") from error
        self.number = self.said.number

    def is_of(self, commit):
        return commit is not None and commit.body_hash == self.said.body_hash
