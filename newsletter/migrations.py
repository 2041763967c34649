"""How does a database get the tables that the code expects? Alembic's migrations, run from inside the program."""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect

from newsletter.places import MIGRATIONS


def config(engine: Engine) -> Config:
    """Alembic's configuration for this database; what `alembic.command` functions take."""
    alembic = Config()
    alembic.set_main_option("script_location", str(MIGRATIONS))
    alembic.attributes["engine"] = engine
    return alembic


def upgrade(engine: Engine) -> None:
    """Bring the database to the newest migration. Nothing happens where it is there already."""
    command.upgrade(config(engine), "head")


def current(engine: Engine) -> str | None:
    """The migration that the database is at; None for an empty one."""
    with engine.execution_options(read_only=True).connect() as connection:  # or it would wait for a writer
        return MigrationContext.configure(connection).get_current_revision()


def is_empty(engine: Engine) -> bool:
    """Whether the database holds no table at all, ours or anybody's."""
    with engine.execution_options(read_only=True).connect() as connection:
        return not inspect(connection).get_table_names()


def newest() -> str | None:
    """The migration that the code expects."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()
