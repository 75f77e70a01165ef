"""Fetches the chart library of the page "Guest tags" from npm and pins it: `python -m docs.pictures.page_assets`.

The library lies in the repository, so that the page needs no network and no build. To take another release: change the version
and the integrity that npm states for it (`npm view chart.js@VERSION dist.integrity`) below, and run this.
"""

import base64
import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from local.services.base import REPO

PACKAGE, VERSION = "chart.js", "4.6.1"
INTEGRITY = "sha512-hJyniucsFmq//EvXYvJ6c6mahPoI3kaxdjVH8awTaJ/fDNWeSqqqArixMJWkWNN6fcYvPU3HneSANFNYtRi61g=="
STATIC = REPO / "plugins" / "guest_tags" / "static"
LIBRARY = STATIC / "vendor" / "chart.umd.min.js"
# File of the package -> where it lies here.
FILES = {"package/dist/chart.umd.min.js": LIBRARY, "package/LICENSE.md": LIBRARY.with_name("chart.LICENSE.md")}


def integrity(content: bytes, algorithm: str) -> str:
    """Return a hash as npm and browsers write it, such as `sha384-...`."""
    return f"{algorithm}-{base64.b64encode(hashlib.new(algorithm, content).digest()).decode()}"


def main() -> int:
    """Fetch, compare with the pin, unpack, and write the browser's own pin into index.html."""
    with tempfile.TemporaryDirectory() as folder:
        package = f"{PACKAGE}@{VERSION}"
        subprocess.run(
            ["npm", "pack", "--silent", package, "--pack-destination", folder], check=True, stdout=sys.stderr
        )
        (archive,) = Path(folder).glob("*.tgz")
        if integrity(archive.read_bytes(), "sha512") != INTEGRITY:
            print(f"{package} from npm is not what is pinned here: {INTEGRITY}", file=sys.stderr)
            return 1
        with tarfile.open(archive) as content:
            for name, target in FILES.items():
                member = content.extractfile(name)
                if member is None:
                    print(f"{package} holds no {name}", file=sys.stderr)
                    return 1
                target.write_bytes(member.read())
    page = STATIC / "index.html"
    pinned = f'integrity="{integrity(LIBRARY.read_bytes(), "sha384")}"'
    page.write_text(re.sub(r'integrity="[^"]*"', pinned, page.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{package}: {LIBRARY.relative_to(REPO)}, {pinned}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
