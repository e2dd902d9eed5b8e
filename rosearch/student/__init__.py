"""Genotype to torch. Importing this package teaches transformers' Auto classes the student.

The three `TRAVELLING_FILES` are all that a plain transformers needs to load an exported student; `AUTO_MAP`
is what its configuration then says.
"""

from __future__ import annotations

from pathlib import Path

from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification

from rosearch.student.configuration_rosearch import StudentConfig
from rosearch.student.modeling_rosearch import StudentForSequenceClassification, StudentModel

TRAVELLING_FILES = tuple(
    Path(__file__).with_name(f"{module}.py")
    for module in ("configuration_rosearch", "operations", "modeling_rosearch")
)
AUTO_MAP = {
    "AutoConfig": "configuration_rosearch.StudentConfig",
    "AutoModel": "modeling_rosearch.StudentModel",
    "AutoModelForSequenceClassification": "modeling_rosearch.StudentForSequenceClassification",
}

AutoConfig.register(StudentConfig.model_type, StudentConfig, exist_ok=True)
AutoModel.register(StudentConfig, StudentModel, exist_ok=True)
AutoModelForSequenceClassification.register(StudentConfig, StudentForSequenceClassification, exist_ok=True)
