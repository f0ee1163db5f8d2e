from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta, Struct, field

from parley.server.twins import camel, to_camel


class Wheel(Struct, frozen=True, kw_only=True, tag_field="type", tag="wheel"):
    spoke_count: int = 36


class Engine(Struct, frozen=True, kw_only=True, tag_field="type", tag="engine"):
    horse_power: int


class Car(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A car."""

    first_owner: str
    any_parts: list[Wheel | Engine] = []
    spare_wheel: Wheel | None = None
    extra_data: dict[str, Any] = field(default_factory=dict)
    built_year: Annotated[int, Meta(ge=1886)] = 2000


class Spelled(Struct, rename="camel"):
    message_id: str
    seq: int = 0


def test_a_twin_spells_every_name_in_camel_case_and_keeps_what_is_not_ours() -> None:
    car = Car(first_owner="Ada", any_parts=[Wheel(spoke_count=1), Engine(horse_power=2)], extra_data={"some_key": Wheel()})
    assert msgspec.json.decode(msgspec.json.encode(to_camel(car))) == {
        "firstOwner": "Ada",
        "anyParts": [{"type": "wheel", "spokeCount": 1}, {"type": "engine", "horsePower": 2}],
        "extraData": {"some_key": {"type": "wheel", "spokeCount": 36}},
    }


def test_a_closed_twin_reads_the_names_and_refuses_others() -> None:
    decoder = msgspec.json.Decoder(camel(Car, closed=True))
    read = decoder.decode(b'{"firstOwner":"Ada","spareWheel":{"type":"wheel","spokeCount":4}}')
    assert (read.first_owner, read.spare_wheel.spoke_count, read.built_year) == ("Ada", 4, 2000)
    for body in (
        b'{"first_owner":"Ada"}',
        b'{"firstOwner":"Ada","spareWheel":{"type":"wheel","x":1}}',
        b'{"firstOwner":"A","builtYear":1}',
    ):
        with pytest.raises(msgspec.ValidationError):
            decoder.decode(body)


def test_what_is_spelled_so_already_is_its_own_twin() -> None:
    assert camel(Spelled) is Spelled
    assert camel(Car) is camel(Car)
    assert camel(Car).__doc__ == "A car."
