#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""schema_judge.py SCHEMA FILE...: prints "good" or "bad" for each YAML file, by python3-jsonschema."""
import json
import sys

import jsonschema
import yaml

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
for name in sys.argv[2:]:
    with open(name, encoding="utf-8") as file:
        print("good" if validator.is_valid(yaml.safe_load(file)) else "bad")
