"""The part of nginx's configuration that serves the large responses from files."""

from responses import BASE64_PREFIX, SHORT_PREFIX, Responses

ENDPOINT = (
    '{{"name":"{name}","endpoint_type":"llm/v1/{name}","model":{{"name":"m","provider":"openai"}},'
    '"endpoint_url":"/gateway/{name}/invocations","limit":null}}'
)
# nginx serves files for GET only. A POST gets the file as the error page of status 405.
ROUTE = """
        location = {below}/api/2.0/endpoints/{name} {{ return 200 '{endpoint}'; }}
        location = {below}/endpoints/{name}/invocations {{ error_page 405 =200 {below}/{name}; return 405; }}
        location = {below}/{name} {{ alias {file}; {more} }}
"""
# The stream's file contains the chunked encoding, one chunk for each event. nginx must not chunk it again and must not
# send a Content-Length, which add_after_body prevents.
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


def of(responses: Responses) -> str:
    """The locations of all large responses."""
    routes = (
        ("", "chat", responses.stream, STREAM),
        (SHORT_PREFIX, "chat", responses.short_stream, STREAM),
        ("", "embeddings", responses.numbers, ""),
        (BASE64_PREFIX, "embeddings", responses.base64, ""),
    )
    parts = [
        ROUTE.format(below=below, name=name, file=file, more=more, endpoint=ENDPOINT.format(name=name))
        for below, name, file, more in routes
    ]
    return "".join([*parts, NOTHING])
