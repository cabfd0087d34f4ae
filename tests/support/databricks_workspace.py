"""A scripted Databricks workspace with serving endpoints, after public sources about its wire format.

Sources:
- the list and the entries: the Databricks SDK for Python (service/serving.py: ServingEndpoint, ServingEndpointDetailed,
  ExternalModel, FoundationModel) and the examples in MLflow's client (mlflow/deployments/databricks). The list has
  no pages. Every field may be missing, also `task`, which the SDK has beside the name and in external_model.
- requests and streams: "Foundation model REST API reference" of Databricks' documentation, and MLflow's client, which
  waits for `data: [DONE]`. Usage is in every chunk in the recorded responses of Llama Stack's tests.
- tokens of service principals: "Authorize service principal access to Databricks with OAuth" of the documentation, and
  the SDK's oauth.py: the fields it reads of successes and failures, and the description that a host returns of itself.
- agents: the ChatAgentResponse, ChatAgentChunk and ResponsesAgentResponse of MLflow's types (mlflow/types/agent.py and
  responses.py), and "Query an agent" of Databricks' documentation.
- errors: the SDK's errors/deserializer.py; the bodies are those in reports: databricks-sdk-go issue 873 (403, Invalid
  access token, where error_code is a number), dbdemos issues 218 (403, PERMISSION_DENIED) and 220 (404,
  RESOURCE_DOES_NOT_EXIST), splunk-integration issue 55 (401, Token is expired). n8n issue 34147: most APIs
  report an expired token as 403.
- limits, creating, deleting: the SDK's serving.py (put, create, delete).

A test in test_databricks.py checks that MLflow's client and the SDK work with it.
"""

import base64
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from typing import Optional
from urllib.parse import parse_qs, unquote

from support.event_streams import events
from support.scripted_gateway import Handler, Request, ScriptedGateway

PAT = "dapi-1234-personal-access"
CLIENT_ID = "88fd3f75-a0d2-4b03-80dd-c40484d7a31b"
CLIENT_SECRET = "dose-5678-service-principal"

ABOUT = "/.well-known/databricks-config"
WELL_KNOWN = "/oidc/.well-known/oauth-authorization-server"
TOKEN = "/oidc/v1/token"
ENDPOINTS = "/api/2.0/serving-endpoints"
INVOCATIONS = "/serving-endpoints/"
AI_GATEWAY = "/ai-gateway/mlflow/v1/"

USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}

Respond = Callable[[Handler], None]


def entry(name: str, task: Optional[str], served: dict, **more: object) -> dict:
    """Returns an endpoint as an entry of the list."""
    optional_task = {} if task is None else {"task": task}
    return {
        "name": name,
        "creator": "alice@example.org",
        "creation_timestamp": 1729527763000,
        "last_updated_timestamp": 1729530896000,
        "state": {"ready": "READY", "config_update": "NOT_UPDATING"},
        "config": {"served_entities": [{"name": name, **served}]},
        "id": "44b258fb39804564b37603d8d14b853e",
        "permission_level": "CAN_MANAGE",
        "route_optimized": False,
        "creator_display_name": "Alice",
        "creator_kind": "User",
        **optional_task,
        **more,
    }


def external(provider: str, model: str, task: str) -> dict:
    """Returns the served entity of a model of another provider."""
    key = {"openai_api_key": "{{secrets/scope/key}}"}
    return {"external_model": {"provider": provider, "name": model, "task": task, f"{provider}_config": key}}


def foundation(model: str, title: str) -> dict:
    """Returns the served entity of a foundation model of Databricks."""
    about = {"name": model, "display_name": title, "docs": "https://example.org/docs", "description": "A model"}
    return {"entity_name": f"system.ai.{model}", "entity_version": "1", "foundation_model": about}


def default_endpoints() -> list[dict]:
    chat, completions, embeddings = (f"llm/v1/{task}" for task in ("chat", "completions", "embeddings"))
    return [
        entry("chat", chat, external("openai", "gpt-4o-mini", chat), endpoint_type="EXTERNAL_MODEL"),
        entry("completions", completions, external("cohere", "command", completions), endpoint_type="EXTERNAL_MODEL"),
        entry("bge", embeddings, foundation("bge_large_en", "BGE"), endpoint_type="FOUNDATION_MODEL_API"),
        entry("task-inside", None, external("anthropic", "claude", chat)),
        entry("agent", "agent/v1/chat", {"entity_name": "main.default.agent", "entity_version": "3"}),
        entry("chat-agent", "agent/v2/chat", {"entity_name": "main.default.chat", "entity_version": "1"}),
        entry("responses-agent", "agent/v1/responses", {"entity_name": "main.default.responses", "entity_version": "1"}),
        entry("custom", None, {"entity_name": "main.default.iris", "entity_version": "2", "workload_size": "Small"}),
    ]


class Workspace(ScriptedGateway):
    """A workspace that listens until the end of its `with`. Its fields may be changed at any time."""

    def __init__(self, tls: Optional[ssl.SSLContext] = None) -> None:
        super().__init__(self._respond, tls)
        self.endpoints = {each["name"]: each for each in default_endpoints()}
        self.pat = PAT
        self.client = (CLIENT_ID, CLIENT_SECRET)
        self.lifetime: object = 3600
        """The value of `expires_in`; None omits it."""
        self.real_lifetime: Optional[float] = None
        """The actual lifetime of a token, if it differs."""
        self.new_token: Callable[[], str] = lambda: f"eyJraWQ.{secrets.token_hex(12)}"
        self.token_delay = 0.0
        self.token_faults: list[str] = []
        """Names from TOKEN_FAULTS, one for each of the next token requests."""
        self.well_known_faults: list[str] = []
        """Names from WELL_KNOWN_FAULTS, likewise."""
        self.token_endpoint = self.url + TOKEN
        self.stale_status = 401
        """The HTTP status for an expired or revoked token: 401, or 403 as in most APIs."""
        self.before_response: Callable[[Request], None] = lambda request: None
        """Called with each invocation, after the check of the credentials and before the response."""
        self.invoke: Callable[[Handler, Request, str], None] = self.respond_to_invocation
        """Responds to an invocation of an endpoint."""
        self.refused = 0
        """The number of requests without valid credentials."""
        self._lock = threading.Lock()
        self._tokens: dict[str, float] = {}

    def __enter__(self) -> "Workspace":
        super().__enter__()
        return self

    def revoke(self) -> None:
        """Revokes all issued tokens."""
        with self._lock:
            self._tokens.clear()

    def requests_to(self, path: str, method: Optional[str] = None) -> list[Request]:
        """Returns the requests to paths that start with `path`."""
        return [
            request
            for request in list(self.requests)
            if request.path.startswith(path) and method in (None, request.method)
        ]

    def token_requests(self) -> int:
        return len(self.requests_to(TOKEN))

    def environment(self) -> dict[str, str]:
        """Returns the variables of a user with a personal access token."""
        return {"DATABRICKS_HOST": self.url, "DATABRICKS_TOKEN": self.pat}

    def service_environment(self) -> dict[str, str]:
        """Returns the variables of a service principal."""
        client_id, secret = self.client
        return {"DATABRICKS_HOST": self.url, "DATABRICKS_CLIENT_ID": client_id, "DATABRICKS_CLIENT_SECRET": secret}

    def credentials(self, path: str = INVOCATIONS) -> list[str]:
        """Returns the Authorization header of each request."""
        return [header(request, "Authorization") for request in self.requests_to(path)]

    def _respond(self, handler: Handler, request: Request) -> None:
        path = request.path.split("?")[0]
        if path == ABOUT:
            handler.respond(200, {"oidc_endpoint": f"{self.url}/oidc", "workspace_id": "1", "cloud": "aws"}, JSON)
        elif path == WELL_KNOWN:
            self._describe_token_endpoint(handler)
        elif path == TOKEN and request.method == "POST":
            self._issue_token(handler, request)
        elif (refused := self._refusal(request)) is not None:
            self.refused += 1
            handler.respond(*refused)
        elif path.startswith(INVOCATIONS) and path.endswith("/invocations") and request.method == "POST":
            self.before_response(request)
            self.invoke(handler, request, unquote(path[len(INVOCATIONS) : -len("/invocations")]))
        elif path.startswith(AI_GATEWAY) and request.method == "POST":
            self._call_model(handler, request, path[len(AI_GATEWAY) :])
        elif path.rstrip("/") == ENDPOINTS:
            self._list_or_create(handler, request)
        elif path.startswith(f"{ENDPOINTS}/"):
            self._one(handler, request, *(unquote(part) for part in path[len(ENDPOINTS) + 1 :].split("/")))
        else:
            no_such_api(handler, request)

    # Tokens

    def _describe_token_endpoint(self, handler: Handler) -> None:
        if self.well_known_faults:
            WELL_KNOWN_FAULTS[self.well_known_faults.pop(0)](handler)
            return
        issuer = f"{self.url}/oidc"
        handler.respond(
            200,
            {
                "authorization_endpoint": f"{issuer}/v1/authorize",
                "token_endpoint": self.token_endpoint,
                "issuer": issuer,
                "jwks_uri": f"{issuer}/jwks.json",
                "scopes_supported": ["all-apis", "email", "offline_access", "openid", "profile", "sql"],
                "grant_types_supported": ["client_credentials", "authorization_code", "refresh_token"],
                "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            },
            JSON,
        )

    def _issue_token(self, handler: Handler, request: Request) -> None:
        time.sleep(self.token_delay)
        if self.token_faults:
            TOKEN_FAULTS[self.token_faults.pop(0)](handler)
            return
        form = parse_qs(request.body.decode())
        expected = base64.b64encode(":".join(self.client).encode()).decode()
        if header(request, "Authorization") != f"Basic {expected}":
            TOKEN_FAULTS["invalid client"](handler)
        elif not header(request, "Content-Type").startswith("application/x-www-form-urlencoded"):
            handler.respond(400, {"error": "invalid_request", "error_description": "not a form"}, JSON)
        elif form != {"grant_type": ["client_credentials"], "scope": ["all-apis"]}:
            handler.respond(400, {"error": "invalid_scope", "error_description": f"not {form}"}, JSON)
        else:
            lifetime = self.lifetime if self.real_lifetime is None else self.real_lifetime
            token = self.new_token()
            with self._lock:
                self._tokens[token] = time.monotonic() + (lifetime if isinstance(lifetime, (int, float)) else 3600)
            expiry = {} if self.lifetime is None else {"expires_in": self.lifetime}
            handler.respond(200, {"access_token": token, "scope": "all-apis", "token_type": "Bearer", **expiry}, JSON)

    def _refusal(self, request: Request) -> Optional[tuple[int, object, dict[str, str]]]:
        scheme, _, token = header(request, "Authorization").partition(" ")
        if scheme != "Bearer":
            message = "Credential was not sent or was of an unsupported type for this API. [ReqId: 145ae51b-da74]"
            realm = {"WWW-Authenticate": 'Bearer realm="DatabricksRealm"'}
            return 401, {"error_code": 401, "message": message}, {**JSON, **realm}
        with self._lock:
            if token == self.pat or self._tokens.get(token, 0) > time.monotonic():
                return None
        if self.stale_status == 401:
            return 401, {"error_code": 401, "message": "Token is expired. [ReqId: 145ae51b-da74]"}, JSON
        reason = {"X-Databricks-Reason-Phrase": "Invalid access token."}
        return 403, {"error_code": 403, "message": "Invalid access token. [ReqId: 145ae51b-da74]"}, {**JSON, **reason}

    # Endpoints

    def _list_or_create(self, handler: Handler, request: Request) -> None:
        if request.method == "GET":
            found = list(self.endpoints.values())
            handler.respond(200, {"endpoints": found} if found else {}, JSON)
        elif request.method == "POST":
            description = request.json()
            if description["name"] in self.endpoints:
                message = f"Endpoint with name '{description['name']}' already exists."
                refuse(handler, 400, "RESOURCE_ALREADY_EXISTS", message)
                return
            created = entry(description["name"], None, {}, config=description["config"])
            created["state"] = {"ready": "NOT_READY", "config_update": "IN_PROGRESS"}
            self.endpoints[description["name"]] = created
            handler.respond(200, created, JSON)
        else:
            no_such_api(handler, request)

    def _one(self, handler: Handler, request: Request, name: str, *rest: str) -> None:
        if name not in self.endpoints:
            no_such_endpoint(handler, name)
        elif (request.method, rest) == ("GET", ()):
            handler.respond(200, self.endpoints[name], JSON)
        elif (request.method, rest) == ("DELETE", ()):
            del self.endpoints[name]
            handler.respond(200, "", JSON)
        elif (request.method, rest) == ("PUT", ("rate-limits",)):
            limits = request.json().get("rate_limits")
            if not isinstance(limits, list):
                refuse(handler, 400, "INVALID_PARAMETER_VALUE", "rate_limits must be a list")
                return
            self.endpoints[name]["ai_gateway"] = {"rate_limits": limits}
            handler.respond(200, {"rate_limits": limits}, JSON)
        else:
            no_such_api(handler, request)

    # Invocations

    def _call_model(self, handler: Handler, request: Request, path: str) -> None:
        """A model of Unity Catalog: its name is in the body."""
        body = request.json()
        name = body.get("model", "")
        if not name.startswith("main."):
            refuse(handler, 404, "RESOURCE_DOES_NOT_EXIST", f"Model service '{name}' does not exist.")
        elif path in ("chat/completions", "embeddings") and ("messages" in body) == (path == "chat/completions"):
            self.respond_to_invocation(handler, request, "chat" if "messages" in body else "bge")
        else:
            no_such_api(handler, request)

    def respond_to_invocation(self, handler: Handler, request: Request, name: str) -> None:
        """Echoes the prompt, or returns embeddings that contain the lengths of the inputs."""
        if name not in self.endpoints:
            no_such_endpoint(handler, name)
            return
        body = request.json()
        task = self.endpoints[name].get("task")
        if task == "agent/v2/chat":
            respond_as_chat_agent(handler, body)
        elif task == "agent/v1/responses":
            respond_as_responses_agent(handler, body)
        elif "messages" in body:
            text = f"echo: {body['messages'][-1]['content']}"
            if body.get("stream"):
                stream(handler, text)
                return
            message = {"role": "assistant", "content": text}
            choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
            handler.respond(200, whole("chat.completion", choices), JSON)
        elif "prompt" in body:
            choices = [{"index": 0, "text": f"echo: {body['prompt']}", "finish_reason": "stop"}]
            handler.respond(200, whole("text_completion", choices), JSON)
        elif "input" in body:
            inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
            data = [
                {"index": at, "object": "embedding", "embedding": [float(len(text)), 0.5]}
                for at, text in enumerate(inputs)
            ]
            usage = {"prompt_tokens": len(inputs), "total_tokens": len(inputs)}
            handler.respond(200, {"object": "list", "model": "bge", "data": data, "usage": usage}, JSON)
        else:
            refuse(handler, 400, "BAD_REQUEST", "Missing required field: messages")


JSON = {"Content-Type": "application/json; charset=utf-8"}
DETAILS = [{"@type": "type.googleapis.com/google.rpc.RequestInfo", "request_id": "28e113da-9127", "serving_data": ""}]
LOGIN_PAGE = "<!doctype html><html><head><title>Databricks - Sign In</title></head></html>"

TOKEN_FAULTS: dict[str, Respond] = {
    "invalid client": lambda handler: handler.respond(
        401, {"error": "invalid_client", "error_description": "Client authentication failed"}, JSON
    ),
    "throttled": lambda handler: handler.respond(
        400, {"error": "invalid_request", "error_description": "Temporarily throttled, too many requests"}, JSON
    ),
    "empty refusal": lambda handler: handler.respond(400, ""),
    "server error": lambda handler: handler.respond(500, "Internal Server Error"),
    "a web page": lambda handler: handler.respond(200, LOGIN_PAGE),
    "no token": lambda handler: handler.respond(200, {"token_type": "Bearer", "expires_in": 3600}, JSON),
    "another type": lambda handler: handler.respond(200, {"access_token": 7, "expires_in": 3600}, JSON),
    "two lines": lambda handler: handler.respond(200, {"access_token": "a\r\nX-B: c", "expires_in": 3600}, JSON),
    "a redirect": lambda handler: handler.respond(307, "", {"Location": "http://127.0.0.1:1/oidc/v1/token"}),
    "reset": lambda handler: handler.reset(),
    "silent": lambda handler: handler.stall(),
}

WELL_KNOWN_FAULTS: dict[str, Respond] = {
    "not there": lambda handler: refuse(handler, 404, "ENDPOINT_NOT_FOUND", "No API found"),
    "a web page": lambda handler: handler.respond(200, LOGIN_PAGE),
    "a redirect": lambda handler: handler.respond(303, "", {"Location": "/login.html"}),
    "no endpoint": lambda handler: handler.respond(200, {"issuer": "x"}, JSON),
    "server error": lambda handler: refuse(handler, 503, "TEMPORARILY_UNAVAILABLE", "Please try again later."),
    "reset": lambda handler: handler.reset(),
    "silent": lambda handler: handler.stall(),
}


def header(request: Request, name: str) -> str:
    """Returns a header of a request by its name in any case, or ""."""
    return next((value for key, value in request.headers.items() if key.lower() == name.lower()), "")


def refuse(handler: Handler, status: int, code: str, message: str) -> None:
    handler.respond(status, {"error_code": code, "message": message, "details": DETAILS}, JSON)


def no_such_endpoint(handler: Handler, name: str) -> None:
    refuse(handler, 404, "RESOURCE_DOES_NOT_EXIST", f"Endpoint with name '{name}' does not exist.")


def no_such_api(handler: Handler, request: Request) -> None:
    path = request.path.split("?")[0].removeprefix("/api/2.0")
    refuse(handler, 404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {path}'")


def whole(kind: str, choices: list[dict]) -> dict:
    about = {"id": "chatcmpl_2c653de2-afd4", "object": kind, "created": 1758326497, "model": "llama-3.3-70b-121024"}
    return {**about, "choices": choices, "usage": USAGE}


def stream(handler: Handler, text: str) -> None:
    """Streams a chat response word by word, with the usage in each chunk, and [DONE]."""
    words = [f" {word}" if at else word for at, word in enumerate(text.split(" "))]
    deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in words)]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {"content": ""}, "finish_reason": "stop"})
    chunks = [whole("chat.completion.chunk", [choice]) for choice in choices]
    body = events(*chunks, "[DONE]").encode()
    handler.respond(200, body, {"Content-Type": "text/event-stream"})


def respond_as_chat_agent(handler: Handler, body: dict) -> None:
    """Returns a tool call and its result before the text; the response has no choices."""
    words = ["echo:", f" {body['messages'][-1]['content']}"]
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    work = [
        {"role": "assistant", "content": "", "tool_calls": [call], "id": "1"},
        {"role": "tool", "content": "42", "name": "f", "tool_call_id": "c", "id": "2"},
    ]
    if body.get("stream"):
        deltas = [*work, *({"role": "assistant", "content": word, "id": "3"} for word in words)]
        chunks = [{"delta": delta, "finish_reason": None, "custom_outputs": None} for delta in deltas]
        handler.respond(200, events(*chunks, "[DONE]").encode(), {"Content-Type": "text/event-stream"})
        return
    messages = [*work, {"role": "assistant", "content": "".join(words), "id": "3"}]
    handler.respond(200, {"messages": messages, "finish_reason": "stop", "usage": USAGE}, JSON)


def respond_as_responses_agent(handler: Handler, body: dict) -> None:
    """Returns a tool call before the text. If the prompt starts with "whole", a stream has items only."""
    if "input" not in body:
        message = "Invalid input. Error: Model is missing inputs ['input']. Note that there were extra inputs: ['messages']"
        refuse(handler, 400, "BAD_REQUEST", message)
        return
    prompt = body["input"][-1]["content"]
    words = ["echo:", f" {prompt}"]
    work = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    content = [{"type": "output_text", "text": "".join(words)}]
    message = {"type": "message", "id": "m", "role": "assistant", "content": content}
    if not body.get("stream"):
        handler.respond(200, {"object": "response", "output": [work, message]}, JSON)
        return
    deltas = [{"type": "response.output_text.delta", "item_id": "m", "delta": word} for word in words]
    items = [{"type": "response.output_item.done", "item": item} for item in (work, message)]
    sent = [items[0], *([] if prompt.startswith("whole") else deltas), items[1]]
    handler.respond(200, events(*sent, "[DONE]").encode(), {"Content-Type": "text/event-stream"})


def profile(name: str, **keys: str) -> str:
    """Returns a section of a file ~/.databrickscfg."""
    return f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items()) + "\n"
