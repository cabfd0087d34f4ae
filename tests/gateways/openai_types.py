"""Reads the bodies of a batch's output with the types of OpenAI's Python library. Runs inside `openai`.

Reads lines of an output file, and prints for each the text of the first choice, or the length of the first embedding,
as JSON. A body that is not valid is an error.
"""

import json
import sys

from openai.types import Completion, CreateEmbeddingResponse
from openai.types.chat import ChatCompletion

TYPES = {"chat.completion": ChatCompletion, "text_completion": Completion, "list": CreateEmbeddingResponse}


def main() -> None:
    for line in sys.stdin:
        body = json.loads(line)["response"]["body"]
        response = TYPES[body["object"]].model_validate(body)
        if isinstance(response, ChatCompletion):
            print(json.dumps(response.choices[0].message.content))
        elif isinstance(response, Completion):
            print(json.dumps(response.choices[0].text))
        else:
            print(len(response.data[0].embedding))


if __name__ == "__main__":
    main()
