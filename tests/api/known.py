"""Adds what is really there to the API's description, so that requests do not all end at 404.

Usage: known.py BASE KNOWN < openapi.json > described.json

Half of the ids that are made up from the result are those in KNOWN (a JSON file), the others are any; examples name the
known ones.
"""

import json
import sys


def either(schema, values):
    """A known value, or anything that was allowed before."""
    before = {key: value for key, value in schema.items() if key not in ("example", "description")}
    return {"anyOf": [{"enum": values}, before], "example": values[0]}


def known_of(path, operation, name, known):
    """What a parameter of an operation can be, if it is known."""
    if operation == "revoke_agent":
        return None  # Nothing could be asked of its cameras afterwards.
    if name == "file":
        return known["files"]
    if name in ("expires", "signature"):
        return [known[name]]
    for resource in ("cameras", "agents", "playback", "users", "groups", "roles", "agencies"):
        if name in ("id", "code") and f"/{resource}/{{" in path:
            return known.get(resource)
    return known["groups"] if name == "group_id" else None


def main():
    base, file = sys.argv[1:]
    known = json.load(open(file, encoding="utf-8"))
    document = json.load(sys.stdin)
    document["servers"] = [{"url": base}]
    for path, item in document["paths"].items():
        for operation in item.values():
            for parameter in operation.get("parameters", []):
                name = parameter["name"]
                values = known_of(path, operation["operationId"], name, known)
                if values:
                    parameter["schema"] = either(parameter["schema"], values)
                    parameter["example"] = values[0]
                if operation["operationId"] == "get_timeline" and name in ("from", "to"):
                    parameter["example"] = known[name]
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            if operation["operationId"] == "prepare_playback":
                order = {"camera_id": known["cameras"][0], "from": known["from"], "to": known["to"]}
                body["example"] = order
    schemas = document["components"]["schemas"]
    camera = schemas["PlaybackOrder"]["properties"]["camera_id"]
    schemas["PlaybackOrder"]["properties"]["camera_id"] = either(camera, known["cameras"])
    schemas["PlaybackOrder"].pop("example", None)
    json.dump(document, sys.stdout)


main()
