"""Asks the emulator with boto3 and botocore, as a stranger's client would.

Run by the Rust test `boto3_understands_every_answer`, which starts the emulator and says where it is.
"""

import os
import urllib.parse

import boto3
import requests
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

ENDPOINT = os.environ["LAB_ENDPOINT"]
REGION = os.environ["LAB_REGION"]
KEY = os.environ["LAB_ACCESS_KEY_ID"]
SECRET = os.environ["LAB_SECRET_ACCESS_KEY"]
LINES = "".join(f"line {n}\n" for n in range(25_000))


def client(secret=SECRET, key=KEY, region=REGION, token=None):
    return boto3.client(
        "rds",
        endpoint_url=ENDPOINT,
        region_name=region,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}),
    )


def refused(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"], error
    raise AssertionError(f"not refused: {arguments}")


def instances():
    found = client().describe_db_instances()["DBInstances"]
    assert [db["DBInstanceIdentifier"] for db in found] == ["empty", "orders", "reports"]
    assert len({db["DbiResourceId"] for db in found}) == 3
    assert found[2]["DBClusterIdentifier"] == "reporting" and "DBClusterIdentifier" not in found[0]
    assert found[1]["Endpoint"]["Port"] == 5432 and found[1]["InstanceCreateTime"].year == 2026
    assert found[1]["TagList"] == []
    pages = list(client().get_paginator("describe_db_instances").paginate())
    assert sum(len(page["DBInstances"]) for page in pages) == 3


def listings():
    paginator = client().get_paginator("describe_db_log_files")
    for size in (None, 1000, 250):
        pages = list(paginator.paginate(DBInstanceIdentifier="orders", PaginationConfig={"PageSize": size}))
        names = [file["LogFileName"] for page in pages for file in page["DescribeDBLogFiles"]]
        assert len(names) == len(set(names)) == 1203, len(names)
        assert names[:3] == ["error/dump.bin", "error/umlaut", "error/lines"]
        assert len(pages) == (5 if size == 250 else 2), len(pages)
    some = client().describe_db_log_files(
        DBInstanceIdentifier="orders", FilenameContains="error/", FileLastWritten=1793613601000, FileSize=2
    )
    assert [file["LogFileName"] for file in some["DescribeDBLogFiles"]] == ["error/umlaut"]
    assert client().describe_db_log_files(DBInstanceIdentifier="empty")["DescribeDBLogFiles"] == []


def portions():
    rds, marker, text, calls = client(), "0", "", 0
    while True:
        part = rds.download_db_log_file_portion(
            DBInstanceIdentifier="orders", LogFileName="error/lines", Marker=marker, NumberOfLines=7000
        )
        text, marker, calls = text + part["LogFileData"], part["Marker"], calls + 1
        if not part["AdditionalDataPending"]:
            break
    assert text == LINES and calls == 4
    pages = client().get_paginator("download_db_log_file_portion").paginate(
        DBInstanceIdentifier="orders", LogFileName="error/lines", PaginationConfig={"StartingToken": "0"}
    )
    assert "".join(page["LogFileData"] for page in pages) == LINES


def odd_text():
    rds = client()
    tail = rds.download_db_log_file_portion(DBInstanceIdentifier="orders", LogFileName="error/lines", NumberOfLines=2)
    assert tail["LogFileData"] == "line 24998\nline 24999\n" and tail["AdditionalDataPending"] is False
    odd = rds.download_db_log_file_portion(DBInstanceIdentifier="orders", LogFileName="error/umlaut", Marker="0")
    assert odd["LogFileData"] == "  Gr????e <&>\r\n", repr(odd["LogFileData"])


def errors():
    rds = client()
    code, status, error = refused(rds.describe_db_instances, DBInstanceIdentifier="none")
    assert (code, status) == ("DBInstanceNotFound", 404)
    assert isinstance(error, rds.exceptions.DBInstanceNotFoundFault)
    portion = {"DBInstanceIdentifier": "orders", "LogFileName": "error/gone"}
    code, status, error = refused(rds.download_db_log_file_portion, **portion)
    assert (code, status) == ("DBLogFileNotFoundFault", 404)
    assert isinstance(error, rds.exceptions.DBLogFileNotFoundFault)
    portion["LogFileName"] = "error/dump.bin"
    code, status, error = refused(rds.download_db_log_file_portion, **portion)
    assert (code, status) == ("InvalidParameterValue", 400) and "binary data" in str(error)
    code, status, _ = refused(rds.describe_db_instances, MaxRecords=5)
    assert (code, status) == ("InvalidParameterValue", 400)
    code, status, _ = refused(rds.describe_db_clusters)
    assert (code, status) == ("InvalidAction", 400)


def credentials():
    for wrong, expected in (
        ({"secret": "wrong"}, "SignatureDoesNotMatch"),
        ({"key": "AKIDSTRANGER"}, "InvalidClientTokenId"),
        ({"token": "unexpected"}, "InvalidClientTokenId"),
        ({"region": "eu-west-1"}, "SignatureDoesNotMatch"),
    ):
        code, status, _ = refused(client(**wrong).describe_db_instances)
        assert (code, status) == (expected, 403), (wrong, code, status)


def file_url(name):
    return f"{ENDPOINT}/v13/downloadCompleteLogFile/orders/{urllib.parse.quote(name)}"


def presigned():
    request = AWSRequest("GET", file_url("error/umlaut"))
    SigV4QueryAuth(Credentials(KEY, SECRET), "rds", REGION, expires=60).add_auth(request)
    answer = requests.get(request.url, timeout=30)
    assert answer.status_code == 200, answer.text
    assert answer.content == "  Grüße <&>\r\n".encode()
    assert answer.headers["Content-Encoding"] == "gzip", "requests accepts gzip unless told otherwise"
    assert requests.get(request.url.replace("umlaut", "lines"), timeout=30).status_code == 403


def signed_header():
    request = AWSRequest("GET", file_url("error/lines"))
    SigV4Auth(Credentials(KEY, SECRET), "rds", REGION).add_auth(request)
    answer = requests.get(request.url, headers={**request.headers, "Accept-Encoding": "identity"}, timeout=30)
    assert answer.status_code == 200 and answer.text == LINES
    assert "Content-Encoding" not in answer.headers
    answer = requests.get(request.url, timeout=30)
    assert answer.status_code == 403 and "MissingAuthenticationToken" in answer.text


CHECKS = [instances, listings, portions, odd_text, errors, credentials, presigned, signed_header]

if __name__ == "__main__":
    for check in CHECKS:
        check()
    print(f"all {len(CHECKS)} checks passed")
