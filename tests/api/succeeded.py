"""Fails unless every operation about cameras and playbacks has succeeded at least once.

Usage: succeeded.py HAR OPENAPI
"""

import collections
import json
import re
import sys
from urllib.parse import urlsplit


def main():
    entries = json.load(open(sys.argv[1], encoding="utf-8"))["log"]["entries"]
    paths = json.load(open(sys.argv[2], encoding="utf-8"))["paths"]
    patterns = [
        (re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path)) + "$"), path)
        for path in sorted(paths, key=lambda path: path.count("{"))
    ]
    answers = collections.defaultdict(collections.Counter)
    for entry in entries:
        method, path = entry["request"]["method"].lower(), urlsplit(entry["request"]["url"]).path
        template = next((template for pattern, template in patterns if pattern.match(path)), None)
        if template and method in paths[template]:
            operation = paths[template][method]["operationId"]
            answers[operation][entry["response"]["status"] // 100] += 1
    for path, item in paths.items():
        for operation in item.values():
            name = operation["operationId"]
            print(f"{name:28}", " ".join(f"{kind}xx:{answers[name][kind]}" for kind in (2, 4, 5)))
            # What succeeds by becoming a WebSocket is not asked for here.
            can_succeed = any(status.startswith("2") for status in operation["responses"])
            if re.match("/api/v1/(cameras|playback)", path) and can_succeed and not answers[name][2]:
                sys.exit(f"{name} has never succeeded: nothing was asked about what there is")


main()
