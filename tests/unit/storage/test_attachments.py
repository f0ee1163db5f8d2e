from __future__ import annotations

import pytest

from parley.storage.attachments import AttachmentRecord, Attachments
from parley.storage.database import Database
from parley.storage.errors import NotFoundError
from parley.storage.ids import new_id
from parley.storage.users import UserRecord


async def test_bytes_come_back_as_they_were_and_to_their_owner_alone(database: Database, user: UserRecord) -> None:
    attachments = Attachments(database)
    data = bytes(range(256)) * 1000
    record = AttachmentRecord(
        id=new_id(), user_id=user.id, name="ä.bin", media_type="application/octet-stream", size=len(data), sha256="s", created_at=1
    )
    await attachments.add(record, data)
    assert await attachments.data(user.id, record.id) == data
    assert await attachments.get(user.id, record.id) == record
    assert list(await attachments.list(user.id, limit=9)) == [record]
    assert await attachments.total_size(user.id) == len(data)
    for lookup in (attachments.data, attachments.get, attachments.remove):
        with pytest.raises(NotFoundError):
            await lookup("somebody else", record.id)
    await attachments.remove(user.id, record.id)
    assert await attachments.total_size(user.id) == 0
