"""Avro's binary encoding of values that are written as in its JSON encoding."""

import struct


def encoded(schema, value, types=None):
    """A value by its schema; `types` are those that have a name."""
    types = dict(described(schema)) if types is None else types
    if isinstance(schema, list):
        names = [one if isinstance(one, str) else one.get("name", one["type"]) for one in schema]
        ((name, inner),) = {"null": None}.items() if value is None else value.items()
        chosen = [last(one) for one in names].index(last(name))
        return number(chosen) + encoded(schema[chosen], inner, types)
    kind = schema["type"] if isinstance(schema, dict) else schema
    match kind:
        case "null":
            return b""
        case "boolean":
            return bytes([value])
        case "int" | "long":
            return number(value)
        case "float" | "double":
            return struct.pack("<f" if kind == "float" else "<d", value)
        case "string":
            return number(len(value.encode())) + value.encode()
        case "bytes":
            return number(len(value)) + value.encode("latin-1")
        case "fixed":
            return value.encode("latin-1")
        case "enum":
            return number(schema["symbols"].index(value))
        case "array":
            return blocks([encoded(schema["items"], item, types) for item in value])
        case "map":
            pairs = value.items()
            return blocks([encoded("string", key) + encoded(schema["values"], item, types) for key, item in pairs])
        case "record":
            return b"".join(encoded(field["type"], value[field["name"]], types) for field in schema["fields"])
    return encoded(types[last(kind)] if isinstance(kind, str) else kind, value, types)


def described(schema):
    """The types that a schema describes, with their names."""
    if isinstance(schema, list):
        for one in schema:
            yield from described(one)
    elif isinstance(schema, dict):
        if "name" in schema:
            yield schema["name"], schema
        fields = [field["type"] for field in schema.get("fields", ())]
        yield from described([schema["type"], schema.get("items"), schema.get("values"), *fields])


def last(name):
    return name.rpartition(".")[2]


def number(value):
    raw, out = (value << 1) ^ (value >> 63), b""
    while raw > 0x7F:
        out, raw = out + bytes([raw & 0x7F | 0x80]), raw >> 7
    return out + bytes([raw])


def blocks(items):
    """The first item in a block that tells its size, the others in another one."""
    if not items:
        return number(0)
    first, rest = items[0], items[1:]
    return number(-1) + number(len(first)) + first + (number(len(rest)) + b"".join(rest) if rest else b"") + number(0)
