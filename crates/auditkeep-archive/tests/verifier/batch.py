"""Many verifications in one process: a batch is a file with one JSON object a line, and so is the answer.

    {"name", "archive": DIRECTORY, "changes": {OBJECT: BASE64 or null}, "keys": [KEY], "checkpoints": {NAME: BASE64},
     "since": {NAME: BASE64}, "trails": [ID], "shallow": BOOL}
    {"name", "proof": BASE64, "keys": [KEY]}

`changes` are objects that are there instead of those in the directory, or that are not there.  The answer is that of
`verify.py` with `name`, or `error` and `name`.  Part of the verifier in `verify.py`; see there what it is for.
"""

import base64
import json

from archive import Checkpoint, Store
from objects import Unreadable, parse_key
from proof import verify_proof
from trails import Verifier, keys_of_archive, verdict_of


def run_batch(file, output):
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            case = json.loads(line)
            try:
                answer = run_case(case)
            except Unreadable as error:
                answer = {"error": str(error)}
            output.write(json.dumps({"name": case["name"], **answer}) + "\n")


def run_case(case):
    roots = [parse_key(key) for key in case["keys"]]
    if "proof" in case:
        findings = verify_proof(base64.b64decode(case["proof"]), roots)
        return {"verdict": verdict_of(findings), "findings": findings}
    changes = {name: None if data is None else base64.b64decode(data) for name, data in case.get("changes", {}).items()}
    store = Store(case["archive"], changes)
    checkpoints = checkpoints_of(case.get("checkpoints", {}))
    since = checkpoints_of(case.get("since", {}))
    verifier = Verifier(
        store, roots or keys_of_archive(store), checkpoints, since[0] if since else None, case.get("trails", []),
        case.get("shallow", False),
    )
    verifier.run()
    return verifier.report(False)


def checkpoints_of(files):
    return [Checkpoint(name, base64.b64decode(data)) for name, data in files.items()]
