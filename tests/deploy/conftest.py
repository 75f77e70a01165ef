"""An S3 for the tests of backups."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import boto3
import pytest

from deploy.bucket import Bucket, bucket_of
from tests.programs import free_port
from tests.waiting import wait_for


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An S3 that checks signatures, with a bucket and somebody who may use it."""
    home = tmp_path_factory.mktemp("s3")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    nobody = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1", "endpoint_url": url}
    setup = {"INITIAL_NO_AUTH_ACTION_COUNT": "4"}  # what is done below, before anybody has a key
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with (home / "log").open("w") as log:
        server = subprocess.Popen(command, env=os.environ | setup, stdout=log, stderr=log)
    try:
        wait_for(lambda: "Running on" in (home / "log").read_text())
        iam, bucket = boto3.client("iam", **nobody), boto3.client("s3", **nobody)
        bucket.create_bucket(Bucket="dumps")
        iam.create_user(UserName="backup")
        everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
        iam.put_user_policy(UserName="backup", PolicyName="all", PolicyDocument=json.dumps(everything))
        key = iam.create_access_key(UserName="backup")["AccessKey"]
        yield {
            "BACKUP_S3_URL": f"{url}/dumps",
            "BACKUP_S3_REGION": "us-east-1",
            "ACCESS_KEY": key["AccessKeyId"],
            "SECRET_KEY": key["SecretAccessKey"],
        }
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def bucket(s3: dict[str, str]) -> Bucket:
    """The bucket, empty."""
    bucket = bucket_of(s3)
    assert bucket
    for name in bucket.sizes():
        bucket.delete(name)
    return bucket
