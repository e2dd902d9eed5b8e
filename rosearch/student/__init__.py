"""The student that a genotype describes, in torch. Importing this package registers it with transformers' Auto classes.

Files that travel with an exported student import nothing of rosearch but each other.
"""

from __future__ import annotations

from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, AutoTokenizer

from rosearch.models.saved import TOKENIZERS
from rosearch.student.configuration_rosearch import StudentConfig
from rosearch.student.modeling_rosearch import StudentForSequenceClassification, StudentModel
from rosearch.student.tokenization_rosearch import ENCODING_FILE, EncodedTokenizer

AutoConfig.register(StudentConfig.model_type, StudentConfig, exist_ok=True)
AutoModel.register(StudentConfig, StudentModel, exist_ok=True)
AutoModelForSequenceClassification.register(StudentConfig, StudentForSequenceClassification, exist_ok=True)
AutoTokenizer.register(StudentConfig, fast_tokenizer_class=EncodedTokenizer, exist_ok=True)
TOKENIZERS[ENCODING_FILE] = EncodedTokenizer
