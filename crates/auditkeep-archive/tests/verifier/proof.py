"""The check of a proof of one event (§9).

Part of the verifier in `verify.py`; see there what it is for.
"""

from objects import (
    FRAME, HASH, JOURNAL, Damaged, NoteText, UnknownKey, canonical, check_note, decompress_exactly, is_included, just,
    leaf_hash, leaf_shape, list_of, newer, newer_format, number, open_segment, parse_base64, parse_canonical, parse_decimal,
    raw_length, record, sha256, split_frames, text,
)
from standing import Trust, keys_put_in_force

PROOF = record({
    "format": just(2), "kind": just("event-proof"), "archive": text, "trail": text,
    "log": text, "family": text, "generation": text, "from": number, "to": number, "sha256": HASH,
    "parts": list_of(record({
        "leaf": leaf_shape(2), "inclusion": text, "object?": text,
        "frames?": list_of(record({"index": number, "path": list_of(HASH), "data": text}), least=1),
    }), least=1),
    "keys?": list_of(record({"leaf": leaf_shape(2), "inclusion": text}), least=1),
})


def check_inclusion(item, trust, archive, trail):
    """Checks by a note of a trusted key that a leaf is in the tree of a trail.  Returns the number of the note's commit."""
    head, separator, note = item["inclusion"].partition("\n\n")
    lines = head.split("\n")
    if not separator or lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1:] or not lines[1].startswith("index "):
        raise Damaged("not a tlog-proof")
    index = parse_decimal(lines[1][len("index ") :])
    path = [parse_base64(line) for line in lines[2:]]
    said = NoteText(note.rpartition("\n\n")[0] + "\n")
    check_note(note, trust.in_force(trail, said.number))
    if (said.archive, said.trail) != (archive, trail):
        raise Damaged(f"the note is of {said.archive}/{said.trail}")
    if not is_included(leaf_hash(canonical(item["leaf"])), index, said.size, path, said.root):
        raise Damaged("the leaf is not included in the tree that was signed")
    return said.number


def follow_key(item, trust, archive, last):
    """Takes the keys that an item of `keys` puts in force.  Returns the number of the newest commit so far."""
    try:
        commit_number = check_inclusion(item, trust, archive, JOURNAL)
    except UnknownKey:
        return last  # it puts none in force, for anybody who does not trust its signer
    if commit_number < last:
        raise Damaged("the keys are not in the order of their commits")
    keys = keys_put_in_force(item["leaf"])
    if not keys:
        raise Damaged("the leaf adds no key")
    for key in keys:
        trust.add(key, commit_number)
    return commit_number


def pieces_of(part, start, end):
    """The bytes that a part of a proof holds, from its first frame on: the offset in the generation, and the bytes.  It has just
    what holds the bytes from `start` to `end`."""
    leaf = part["leaf"]
    length = raw_length(leaf)
    if ("frames" in part) != ("frames" in leaf) or ("object" in part) == ("frames" in part):
        raise Damaged("a part must have `frames` if its leaf has, else `object`")
    if "object" in part:
        return leaf["from"], open_segment(leaf, parse_base64(part["object"]))
    first = (max(start, leaf["from"]) - leaf["from"]) // FRAME
    last = (min(end, leaf["to"]) - 1 - leaf["from"]) // FRAME
    if [frame["index"] for frame in part["frames"]] != list(range(first, last + 1)):
        raise Damaged("these are not just the frames that hold the event's bytes")
    raw = b""
    for frame in part["frames"]:
        index, data = frame["index"], parse_base64(frame["data"])
        path = [bytes.fromhex(step) for step in frame["path"]]
        if not is_included(leaf_hash(data), index, -(-length // FRAME), path, bytes.fromhex(leaf["frames"])):
            raise Damaged(f"frame {index} is not included in the segment")
        if len(split_frames(data)) != 1:
            raise Damaged(f"frame {index} is not one frame")
        raw += decompress_exactly(data, index, length)
    return leaf["from"] + first * FRAME, raw


def check_parts(proof, trust):
    """The event's bytes; `parts` in the order of the bytes, each with some of them."""
    event, before = b"", None
    for index, part in enumerate(proof["parts"]):
        with_place = f"parts[{index}]"
        try:
            check_inclusion(part, trust, proof["archive"], proof["trail"])
            leaf, position = part["leaf"], proof["from"] + len(event)
            if leaf["kind"] != "segment" or any(leaf[key] != proof[key] for key in ("family", "generation")):
                raise Damaged("the leaf is no segment of the log file")
            goes_on = leaf["from"] == position if before else leaf["from"] <= position
            if not goes_on or leaf["to"] <= position or position == proof["to"]:
                raise Damaged("it does not continue what is before it, or has none of the event's bytes")
            offset, raw = pieces_of(part, proof["from"], proof["to"])
        except (Damaged, UnknownKey) as error:
            error.place = with_place
            raise
        event += raw[max(position - offset, 0) : proof["to"] - offset]
        before = leaf
    if len(event) != proof["to"] - proof["from"] or sha256(event).hex() != proof["sha256"]:
        raise Damaged("the parts do not cover the event's bytes, or these have another hash")
    if before["log"] != proof["log"]:
        raise Damaged("the last part has another `log`")


def verify_proof(data, roots):
    """The findings about a proof: none if it holds."""
    trust, place = Trust(roots), "proof"
    try:
        try:
            proof = parse_canonical(data)
            PROOF(proof, "proof")
        except Damaged:
            if newer_format(data, "format"):
                raise newer("the proof", newer_format(data, "format")) from None
            raise
        if proof["from"] >= proof["to"]:
            raise Damaged("the event has no bytes")
        last = 0
        for index, item in enumerate(proof.get("keys", [])):
            place = f"keys[{index}]"
            last = follow_key(item, trust, proof["archive"], last)
        place = "proof"
        check_parts(proof, trust)
    except (Damaged, UnknownKey) as error:
        verdict = "KEY-UNKNOWN" if isinstance(error, UnknownKey) else "MODIFIED"
        return [{"verdict": verdict, "object": getattr(error, "place", place), "detail": str(error), "against": True}]
    return []
