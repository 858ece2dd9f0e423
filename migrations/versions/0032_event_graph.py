"""The graph of events: auth events of state events, missing prev events, states of events in forked rooms.

Revision: 0032, after 0031
"""

import json
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

_PAGE = 1000


def upgrade() -> None:
    with op.batch_alter_table("events") as events:
        events.add_column(sa.Column("own_state_id", sa.BigInteger))
        events.add_column(sa.Column("before_state_id", sa.BigInteger))
    auth = op.create_table(
        "event_auth",
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("auth_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("event_id", "auth_id", name="pk_event_auth"),
    )
    op.create_table(
        "backward_extremities",
        sa.Column("room_id", sa.Text, nullable=False),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("room_id", "event_id", name="pk_backward_extremities"),
    )
    for page in _state_events(op.get_bind()):
        rows = [
            {"event_id": event_id, "auth_id": auth_id} for event_id, pdu in page for auth_id in _auth_ids(pdu)
        ]
        if rows:
            op.get_bind().execute(sa.insert(auth), rows)


def _state_events(connection: sa.Connection) -> Iterator[list[tuple[str, bytes]]]:
    events = sa.table("events", sa.column("event_id"), sa.column("state_key"), sa.column("pdu"))
    last = ""
    while True:
        page = connection.execute(
            sa.select(events.c.event_id, events.c.pdu)
            .where(events.c.state_key.is_not(None), events.c.event_id > last)
            .order_by(events.c.event_id)
            .limit(_PAGE)
        ).all()
        if not page:
            return
        last = page[-1].event_id
        yield [(row.event_id, row.pdu) for row in page]


def _auth_ids(pdu: bytes) -> set[str]:
    """Room versions 1 and 2 name an event with its hashes."""
    return {one if isinstance(one, str) else one[0] for one in json.loads(pdu).get("auth_events", ())}
