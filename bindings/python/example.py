"""Sends a prompt, a chat, or inputs to the gateway that MLFLOW_GATEWAY_URI names.

usage: example.py complete PROMPT | chat PROMPT | stream PROMPT | embed INPUT...
"""

import sys

from mlflow_gateway import TEXT, Client, GatewayError


def main(operation: str, *strings: str) -> None:
    route = {"complete": "completions", "embed": "embeddings"}.get(operation, "chat")
    with Client(route, timeout_ms=60000) as client:
        messages = [{"role": "user", "content": text} for text in strings]
        if operation == "complete":
            print(client.complete(strings[0]))
        elif operation == "chat":
            print(client.chat(messages, temperature=0).text)
        elif operation == "stream":
            for event in client.stream(messages, temperature=0):
                if event.kind == TEXT:
                    print(event.text, end="", flush=True)
            print()
        elif operation == "embed":
            for text, embedding in zip(strings, client.embed(strings)):
                print(f"{text}: {len(embedding)} floats, the first is {embedding[0]:.2f}")
        else:
            sys.exit(__doc__)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except GatewayError as error:
        sys.exit(f"example.py: {error}")
