"""Alembic's entry: runs the revisions on the connection that it is given."""

from alembic import context
from sqlalchemy import Connection

from homeserver.storage.schema import metadata

connection: Connection | None = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("give a connection; `homeserver migrate` does")
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
