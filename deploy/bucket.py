"""A bucket of any S3: curl signs by itself, so no cloud's own tool is needed."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# What S3 takes in one piece.
MAX_PUT_BYTES = 5 * 2**30
# What it tells of at a time.
PAGE = 1000
# A connection over which a byte a second or less comes for a minute is given up; a fault of the moment is tried again.
PATIENCE = (
    "--connect-timeout",
    "10",
    "--speed-limit",
    "1",
    "--speed-time",
    "60",
    "--retry",
    "3",
    "--retry-connrefused",
)


class BucketError(Exception):
    """The bucket did not do what it was asked for; the text says why."""


@dataclass(frozen=True)
class Bucket:
    """`url` is that of the bucket itself: the endpoint and the bucket's name."""

    url: str
    region: str
    access_key: str
    secret_key: str = field(repr=False)

    def put(self, file: Path) -> None:
        """Store a file under its name, and see that all of it is there."""
        size = file.stat().st_size
        if size > MAX_PUT_BYTES:
            raise BucketError(f"{file.name} has {size} bytes; S3 takes {MAX_PUT_BYTES} in one piece")
        self._ask("PUT", file.name, "--upload-file", str(file))
        stored = self.sizes(file.name).get(file.name)
        if stored != size:
            raise BucketError(f"{file.name} has {size} bytes, the bucket holds {stored or 'nothing'} of them")

    def get(self, name: str, target: Path) -> None:
        """Bring an object into a file."""
        self._ask("GET", name, "--output", str(target))

    def delete(self, name: str) -> None:
        """Remove an object; one that is not there is no error."""
        self._ask("DELETE", name)

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Return the names and bytes of the objects, in the order of their names."""
        sizes: dict[str, int] = {}
        last = ""
        while True:
            listed = self._ask("GET", f"?list-type=2&max-keys={PAGE}&prefix={prefix}&start-after={last}").decode()
            for part in re.findall(r"<Contents>(.*?)</Contents>", listed, re.DOTALL):
                last = _only(r"<Key>(.*?)</Key>", part)
                sizes[last] = int(_only(r"<Size>(\d+)</Size>", part))
            if "<IsTruncated>true" not in listed:
                return sizes

    def _ask(self, method: str, name: str, *options: str) -> bytes:
        command = ["curl", "--silent", "--show-error", "--fail-with-body", *PATIENCE, "--request", method, *options]
        command += ["--aws-sigv4", f"aws:amz:{self.region}:s3", "--header", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
        command += ["--config", "-", f"{self.url.rstrip('/')}/{name}"]
        # By its standard input: whoever may see our processes sees their arguments.
        keys = f'user = "{self.access_key}:{self.secret_key}"\n'
        done = subprocess.run(command, input=keys.encode(), capture_output=True, check=False)
        if done.returncode:
            said = [
                done.stderr.decode(errors="replace").strip(),
                *re.findall(r"<Message>.*?</Message>", done.stdout.decode(errors="replace")),
            ]
            raise BucketError(f"the bucket refuses {method} {name}: {' '.join(said)}")
        return done.stdout


def bucket_of(env: Mapping[str, str]) -> Bucket | None:
    """Return the bucket that the environment names, None where it names none."""
    if not env.get("BACKUP_S3_URL"):
        return None
    missing = [name for name in ("BACKUP_S3_REGION", "ACCESS_KEY", "SECRET_KEY") if not env.get(name)]
    if missing:
        raise BucketError(f"BACKUP_S3_URL names a bucket, but {', '.join(missing)} is not set")
    return Bucket(env["BACKUP_S3_URL"], env["BACKUP_S3_REGION"], env["ACCESS_KEY"], env["SECRET_KEY"])


def _only(pattern: str, text: str) -> str:
    (found,) = re.findall(pattern, text)
    return str(found)
