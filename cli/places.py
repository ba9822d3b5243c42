"""Places on the map, as they are written on the command line: ``60.17,24.94``."""

from __future__ import annotations

from typing import Any, Final

import click
from pydantic import ValidationError

from schemas.positions import Place


class PlaceType(click.ParamType[Place]):
    """Latitude and longitude in degrees (WGS 84), with a comma between."""

    name = "place"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Place:
        """Read it."""
        if isinstance(value, Place):
            return value
        value = str(value).strip()
        lat, _, lon = value.partition(",")
        try:
            return Place(lat=float(lat), lon=float(lon))
        except ValidationError as error:
            why = error.errors()[0]
            if why["loc"]:
                said = "latitude goes from -90 to 90, longitude from -180 to 180"
            else:
                said = why["msg"].removeprefix("Value error, ")
            self.fail(f"{value!r} is no place: {said}", param, ctx)
        except ValueError:
            self.fail(f"{value!r} is no place: write latitude,longitude as 60.17,24.94", param, ctx)


PLACE: Final = PlaceType()
