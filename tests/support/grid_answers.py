"""Answers in the shapes that the services document; the values are made up."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


def half_hour(index: int, forecast: object = 266, **actual: object) -> dict[str, object]:
    start = NOON + index * timedelta(minutes=30)
    return {
        "from": f"{start:%Y-%m-%dT%H:%MZ}",
        "to": f"{start + timedelta(minutes=30):%Y-%m-%dT%H:%MZ}",
        "intensity": {"forecast": forecast, **actual, "index": "moderate"},
    }


def uk_now(**values: object) -> dict[str, object]:
    return {"data": [half_hour(0, **({"forecast": 266, "actual": 263} | values))]}


def uk_region(*rows: object, postcode: str = "RG10") -> dict[str, object]:
    return {"regionid": 12, "shortname": "South England", "postcode": postcode, "data": list(rows or [half_hour(0)])}


def point(value: object = 322, hour: int = 0, **fields: object) -> dict[str, object]:
    return {
        "zone": "DE",
        "carbonIntensity": value,
        "datetime": f"{NOON + timedelta(hours=hour):%Y-%m-%dT%H:%M:%S}.000Z",
        "updatedAt": "2025-06-01T12:05:00.000Z",
        "emissionFactorType": "lifecycle",
        "isEstimated": False,
        "estimationMethod": None,
        **fields,
    }
