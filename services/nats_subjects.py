"""Names of MQTT as NATS has them: levels are separated by dots, `+` is `*`, `#` is `>`.

A dot in a topic becomes `//` (NATS documentation, "MQTT topics and NATS subjects").
"""


def subject_of(mqtt_filter: str) -> str:
    """An MQTT topic or filter as a NATS subject."""
    levels = mqtt_filter.replace(".", "//") if "." in mqtt_filter else mqtt_filter
    dotted = levels.replace("//", "\0").replace("/", ".").replace("\0", "//")
    return dotted.replace("+", "*").replace("#", ">")


def topic_of(subject: str) -> str:
    """The MQTT topic that a message's subject stands for."""
    return subject.replace("//", "\0").replace(".", "/").replace("\0", ".")
