"""Files of an operator that say something of each fleet, below `fleets:`; read again on SIGHUP."""

from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, Field, ValidationError

from services.satellite_json import NAME
from twin.errors import ConfigurationError, Problem
from twin.located_yaml import Places, Vocabulary, load_mapping, problems_of

Name = Annotated[str, Field(pattern=NAME, max_length=128)]
Document = TypeVar("Document", bound=BaseModel)


def read_document(path: Path, model: type[Document]) -> tuple[Document, Places]:
    """What a file holds, and the place of each key. Raises ConfigurationError, every problem."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError([Problem(str(path), None, "", str(error))]) from None
    data, places = load_mapping(text, str(path))
    try:
        return model.model_validate(data), places
    except ValidationError as error:
        words = Vocabulary({"": ["fleets"]})
        raise ConfigurationError(problems_of(error, places, words)) from None
