"""The part of the server's configuration for the large answers, which lie in files."""

from answers import AS_BASE64, SHORT, Answers

ENDPOINT = (
    '{{"name":"{name}","endpoint_type":"llm/v1/{name}","model":{{"name":"m","provider":"openai"}},'
    '"endpoint_url":"/gateway/{name}/invocations","limit":null}}'
)
# nginx gives a file to GET alone, so that what it would refuse another method with becomes the file.
ROUTE = """
        location = {below}/api/2.0/endpoints/{name} {{ return 200 '{endpoint}'; }}
        location = {below}/endpoints/{name}/invocations {{ error_page 405 =200 {below}/{name}; return 405; }}
        location = {below}/{name} {{ alias {file}; {more} }}
"""
# The file of the stream holds the chunks themselves, one for each event. So nginx must neither count its bytes nor cut
# it into chunks of its own: it does not count where something is added behind, even if that is nothing.
STREAM = """
            charset utf-8;
            charset_types text/event-stream;
            default_type text/event-stream;
            chunked_transfer_encoding off;
            add_header Transfer-Encoding chunked;
            addition_types *;
            add_after_body /nothing;
        """
NOTHING = """
        location = /nothing { return 200 ''; }
"""


def of(answers: Answers) -> str:
    """The locations of all of them."""
    routes = (
        ("", "chat", answers.stream, STREAM),
        (SHORT, "chat", answers.short_stream, STREAM),
        ("", "embeddings", answers.numbers, ""),
        (AS_BASE64, "embeddings", answers.base64, ""),
    )
    parts = [
        ROUTE.format(below=below, name=name, file=file, more=more, endpoint=ENDPOINT.format(name=name))
        for below, name, file, more in routes
    ]
    return "".join([*parts, NOTHING])
