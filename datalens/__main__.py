"""Bring a DataLens workbook to the definitions in datalens/board, or write them as a file for open-source DataLens.

    make datalens ARGS="--dry-run"                     # what would change; writes nothing
    make datalens                                      # change it
    make datalens ARGS="--workbook-file guest-tags.json"

Environment, all for hosted and Enterprise DataLens (docs/datalens.md says where each comes from):
  DATALENS_INSTALLATION   yc (default) or enterprise
  DATALENS_WORKBOOK_ID    the workbook to fill: its id stands in its address
  DATALENS_ORG_ID         yc: organization id
  DATALENS_IAM_TOKEN      yc: IAM token; lives 12 hours at most
  DATALENS_BASE_URL       enterprise: address of the API; yc: https://api.datalens.tech unless given
  DATALENS_OAUTH_TOKEN    enterprise, where it asks for one
The database, for the file as well:
  DATALENS_DB_HOST        as DataLens reaches it
  DATALENS_DB_PORT        5432 unless given
  DATALENS_DB_NAME        dwh unless given
  DATALENS_DB_USER        dwh_bi unless given
  DATALENS_DB_SSL         on (default) or off
  DWH_BI_PASSWORD         its password: only when the connection is made, moved or --set-password is given; never in the file
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

import datalens_sdk as sdk
import pydantic
from pydantic import Field

from datalens.definitions import DefinitionError, load
from datalens.hosted import Change, Client, MissingPasswordError, TwinsError, UnreadableViewError, bring
from datalens.workbook import DEFAULT_KEY, export_file

SECRETS = ("DWH_BI_PASSWORD", "DATALENS_IAM_TOKEN", "DATALENS_OAUTH_TOKEN")


class SettingsError(ValueError):
    """The environment lacks something or contradicts itself."""


class Settings(pydantic.BaseModel):
    """Variables of the environment; an empty one counts as not set."""

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Self:
        """Return the settings; raises SettingsError with all that is wrong with them."""
        try:
            return cls.model_validate({name: value for name, value in env.items() if value})
        except pydantic.ValidationError as error:
            found = "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors())
            raise SettingsError(f"{found}. See: make datalens ARGS=--help") from None


class Database(Settings):
    """Where the warehouse is, as a connection of DataLens says it."""

    host: str = Field(alias="DATALENS_DB_HOST")
    port: int = Field(5432, alias="DATALENS_DB_PORT")
    db_name: str = Field("dwh", alias="DATALENS_DB_NAME")
    username: str = Field("dwh_bi", alias="DATALENS_DB_USER")
    ssl_enable: Literal["on", "off"] = Field("on", alias="DATALENS_DB_SSL")


class Workbook(Settings):
    """Which workbook is to be filled, and where."""

    installation: Literal["yc", "enterprise"] = Field("yc", alias="DATALENS_INSTALLATION")
    id: str = Field(alias="DATALENS_WORKBOOK_ID")


class Hosted(Settings):
    """Hosted DataLens."""

    base_url: str = Field(sdk.DataLensClientYC.DEFAULT_BASE_URL, alias="DATALENS_BASE_URL")
    org_id: str = Field(alias="DATALENS_ORG_ID")
    token: str = Field(alias="DATALENS_IAM_TOKEN")

    def client(self) -> Client:
        """Return the SDK's client."""
        auth = sdk.StaticYCIAMAuthProvider(org_id=self.org_id, token=self.token)
        return sdk.DataLensClientYC(auth=auth, base_url=self.base_url)


class Enterprise(Settings):
    """An Enterprise installation."""

    base_url: str = Field(alias="DATALENS_BASE_URL")
    token: str | None = Field(None, alias="DATALENS_OAUTH_TOKEN")

    def client(self) -> Client:
        """Return the SDK's client."""
        auth = sdk.OAuthAuthProvider(token=self.token) if self.token else None
        return sdk.DataLensClientEnterprise(base_url=self.base_url, auth=auth)


def main(arguments: list[str] | None = None, env: Mapping[str, str] = os.environ) -> int:
    """Do what the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="make datalens", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dry-run", action="store_true", help="show the differences, write nothing")
    parser.add_argument("--set-password", action="store_true", help="write DWH_BI_PASSWORD to the connection again")
    parser.add_argument(
        "--workbook-file", type=Path, metavar="FILE", help="write the file for open-source DataLens; - is stdout"
    )
    given = parser.parse_args(arguments)
    try:
        if given.workbook_file is not None:
            write_file(given.workbook_file, env)
        else:
            fill(env, dry_run=given.dry_run, set_password=given.set_password)
    except (SettingsError, DefinitionError, TwinsError) as error:
        return fail(str(error), env)
    except MissingPasswordError:
        return fail("the connection must be written: set DWH_BI_PASSWORD, the password of its role", env)
    except UnreadableViewError as error:
        return fail(
            f"DataLens cannot read {error} through the connection. Are host, port, role and password right (--set-password "
            "writes the password again)? Does the server let DataLens' addresses in? Is its certificate one of a public CA? "
            "Is the database migrated?",
            env,
        )
    except sdk.DataLensError as error:
        return fail(explain(error, env), env)
    except pydantic.ValidationError as error:
        return fail(
            f"DataLens answers in a form that this datalens-sdk does not know; a newer one may:\n  {error}", env
        )
    return 0


def write_file(path: Path, env: Mapping[str, str]) -> None:
    """Write the file for open-source DataLens."""
    key = env.get("EXPORT_DATA_VERIFICATION_KEY") or DEFAULT_KEY
    text = export_file(load(), Database.of(env).model_dump(), key)
    if str(path) == "-":
        sys.stdout.write(text)
        return
    path.write_text(text, encoding="utf-8")
    print(f"{path}: import it in DataLens, then enter the password of the connection")


def fill(env: Mapping[str, str], *, dry_run: bool, set_password: bool) -> None:
    """Bring the workbook to the definitions and say what was done."""
    board, database, workbook = load(), Database.of(env).model_dump(), Workbook.of(env)
    installation = (Hosted if workbook.installation == "yc" else Enterprise).of(env)
    password = env.get("DWH_BI_PASSWORD")
    counts: Counter[str] = Counter()
    client = installation.client()
    with client:
        for change in bring(client, workbook.id, board, database, password, dry_run=dry_run, set_password=set_password):
            counts[change.action] += 1
            show(change)
    created, changed = ("to create", "to change") if dry_run else ("created", "changed")
    print(f"{counts['create']} {created}, {counts['update']} {changed}, {counts['same']} as defined")


def show(change: Change) -> None:
    """Print an entry that differs, and how."""
    if change.action == "same":
        return
    print(f"{change.action} {change.kind} «{change.title}»")
    for line in change.differences:
        print(f"    {line}")
    for line in change.kept:
        print(f"    DataLens keeps it otherwise: {line}")


def explain(error: sdk.DataLensError, env: Mapping[str, str]) -> str:
    """Say what an error of the SDK means here, and what to do."""
    workbook = env.get("DATALENS_WORKBOOK_ID")
    again = "What was written stays; the next run goes on from there."
    match error:
        case sdk.UnauthorizedError():
            advice = (
                "DataLens refused the token. An IAM token lives 12 hours at most: yc iam create-token makes a new one."
            )
        case sdk.ForbiddenError():
            advice = f"The account may not do this in workbook {workbook}: it needs the role of an editor there."
        case sdk.NotFoundError():
            advice = f"DataLens does not know it: is workbook {workbook} in the organization of DATALENS_ORG_ID?"
        case sdk.ConflictError() | sdk.LockedError():
            advice = f"Somebody else is changing this entry. {again}"
        case sdk.ServerError() | sdk.RateLimitError():
            advice = f"DataLens is not well or has had enough: try later. {again}"
        case sdk.DataLensTransportError():
            advice = f"DataLens cannot be reached from here. {again}"
        case _:
            advice = again
    return f"{advice}\n  {error}"


def fail(text: str, env: Mapping[str, str]) -> int:
    """Print an error without the secrets that a server might have repeated; return the exit code."""
    for name in SECRETS:
        if secret := env.get(name):
            text = text.replace(secret, "***")
    print(f"datalens: {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
