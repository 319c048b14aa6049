#!/usr/bin/env python3
"""A second verifier for auditkeep archives, written from the specification alone.

This program is for tests only.  It shows that `docs/spec/archive.md`, with the public specifications that it cites, is enough
to check an archive: it was written from that document, in another language.  The comments name the sections (§) of it.

    verify.py ARCHIVE --key KEY [--key KEY ...] [--checkpoint FILE ...] [--since FILE] [--trail ID ...] [--shallow] [--strict]
    verify.py --proof FILE --key KEY [--key KEY ...]
    verify.py --batch FILE

ARCHIVE is a local directory.  KEY is the text of a public key, or a file with one key a line.  The answer is JSON on stdout.
Exit code: 0 what is there holds, 3 it does not, 1 it could not be read (bad input, or a newer format).  `batch.py` says what a
batch is.

It needs Python 3.9, the packages `cryptography` and `zstandard`, and the modules beside it.
"""

import argparse
import json
import os
import sys

from archive import Checkpoint, Store, read_file
from batch import run_batch
from objects import Damaged, Unreadable, parse_key
from proof import verify_proof
from trails import Verifier, keys_of_archive, verdict_of


def read_keys(values):
    lines = []
    for value in values:
        lines += read_file(value).decode("utf-8", "replace").splitlines() if os.path.isfile(value) else [value]
    try:
        return [parse_key(line.strip()) for line in lines if line.strip()]
    except Damaged as error:
        raise Unreadable(str(error)) from error


def run(options):
    roots = read_keys(options.key)
    if bool(options.archive) == bool(options.proof) or (options.proof and not roots):
        raise Unreadable("give an archive, or a proof and a key")
    if options.proof:
        findings = verify_proof(read_file(options.proof), roots)
        return {"verdict": verdict_of(findings), "findings": findings}
    store = Store(options.archive)
    if not roots:
        print("no key was given: the archive's own are used, which proves little", file=sys.stderr)
        roots = keys_of_archive(store)
    checkpoints = [Checkpoint(file, read_file(file)) for file in options.checkpoint]
    since = Checkpoint(options.since, read_file(options.since)) if options.since else None
    verifier = Verifier(store, roots, checkpoints, since, options.trail, options.shallow)
    verifier.run()
    return verifier.report(options.strict)


def main():
    parser = argparse.ArgumentParser(description="verifies an auditkeep archive or event proof")
    parser.add_argument("archive", nargs="?", help="the archive's directory")
    parser.add_argument("--key", action="append", default=[], help="a trusted public key, or a file of them")
    parser.add_argument("--checkpoint", action="append", default=[], help="a checkpoint that was kept elsewhere")
    parser.add_argument("--since", help="a checkpoint: believe all that it covers")
    parser.add_argument("--trail", action="append", default=[], help="look at this trail only (and the journal)")
    parser.add_argument("--shallow", action="store_true", help="of segments, look at presence and size only")
    parser.add_argument("--strict", action="store_true", help="fail on extra objects and explained gaps, too")
    parser.add_argument("--proof", help="verify this event proof instead of an archive")
    parser.add_argument("--batch", help="verify all that this file names")
    try:
        options = parser.parse_args()
        if options.batch:
            run_batch(options.batch, sys.stdout)
            return 0
        report = run(options)
    except SystemExit as stop:  # argparse ends with 2 for wrong usage
        return 1 if stop.code else 0
    except Unreadable as error:
        print(f"could not be verified: {error}", file=sys.stderr)
        return 1
    print(json.dumps(report, indent=1))
    return 0 if report["verdict"] == "OK" else 3


if __name__ == "__main__":
    sys.exit(main())
