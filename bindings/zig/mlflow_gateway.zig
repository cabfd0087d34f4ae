//! Call MLflow AI gateways from Zig: one file, which imports the C header. docs/bindings.md explains it.
//! Threads may share a client. Slices in a result belong to it: they are valid until its deinit().

const std = @import("std");
const c = @cImport(@cInclude("mlflow_ai_gateway.h"));

/// Failures that programs handle, with the names of the header. Any other is Failed; see Failure.status.
pub const Error = error{ InvalidArgument, ConnectFailed, ConnectionLost, Timeout, Cancelled, NotFound, RateLimited } ||
    error{ ServerError, StreamTruncated, StreamError, NoText, OutOfMemory, Failed };

/// Why a function failed. A function that gets it replaces its contents.
pub const Failure = struct {
    status: i32 = 0,
    message: []const u8 = "", // one line: what failed, why, and what to do
    http_status: i32 = 0, // 0 without a response
    code: ?[]const u8 = null, // of the gateway or the model provider
    retry_after_ms: i64 = -1, // -1 if not reported
    body: ?[]const u8 = null,
    object: ?*c.mlflow_gateway_error = null,

    pub fn deinit(self: *Failure) void {
        c.mlflow_gateway_error_destroy(self.object);
        self.* = .{};
    }

    /// Calls a function that may fail, and returns its status. Those from 100 are not failures.
    fn call(self: *Failure, function: anytype, arguments: anytype) Error!i32 {
        self.deinit();
        const status = @call(.auto, function, arguments ++ .{&self.object});
        const object = self.object orelse return status;
        self.* = .{
            .status = status,
            .message = std.mem.span(c.mlflow_gateway_error_message(object)),
            .http_status = c.mlflow_gateway_error_http_status(object),
            .code = span(c.mlflow_gateway_error_gateway_code(object)),
            .retry_after_ms = c.mlflow_gateway_error_retry_after_ms(object),
            .body = slice(c.mlflow_gateway_error_body, .{object}),
            .object = object,
        };
        return inline for (@typeInfo(Error).error_set.?) |failure| {
            const name = "MLFLOW_GATEWAY_" ++ comptime snakeCase(failure.name);
            if (@hasDecl(c, name) and status == @field(c, name)) break @field(Error, failure.name);
        } else error.Failed;
    }
};

/// Cancels the calls of the requests that have it. Any thread and any signal handler may call cancel().
pub const CancelToken = struct {
    object: ?*c.mlflow_gateway_cancel_token = null,

    pub fn init(failure: *Failure) Error!CancelToken {
        var token: CancelToken = .{};
        _ = try failure.call(c.mlflow_gateway_cancel_token_create, .{&token.object});
        return token;
    }

    pub fn cancel(self: CancelToken) void {
        c.mlflow_gateway_cancel(self.object);
    }

    pub fn deinit(self: CancelToken) void {
        c.mlflow_gateway_cancel_token_destroy(self.object);
    }
};

/// Messages or inputs, and the parameters of the model as JSON.
pub const Request = struct {
    messages: []const Message = &.{},
    inputs: []const []const u8 = &.{},
    params: []const Param = &.{},
    token: CancelToken = .{},

    pub const Param = struct { name: [:0]const u8, json: []const u8 };
    /// A text with its role, or any message as JSON, for example that of a response.
    pub const Message = union(enum) { system: []const u8, user: []const u8, assistant: []const u8, json: []const u8 };

    fn send(self: Request, client: Client, function: anytype, Result: type, failure: *Failure) Error!?*Result {
        var object: ?*c.mlflow_gateway_request = null;
        var result: ?*Result = null;
        _ = try failure.call(c.mlflow_gateway_request_create, .{&object});
        defer c.mlflow_gateway_request_destroy(object);
        for (self.messages) |message| switch (message) {
            .json => |json| {
                _ = try failure.call(c.mlflow_gateway_request_add_message_json, .{ object, json.ptr, json.len });
            },
            inline else => |text, tag| {
                const role = @tagName(tag);
                _ = try failure.call(c.mlflow_gateway_request_add_message, .{ object, role, text.ptr, text.len });
            },
        };
        for (self.inputs) |text|
            _ = try failure.call(c.mlflow_gateway_request_add_input, .{ object, text.ptr, text.len });
        for (self.params) |param| {
            const value = .{ object, param.name, param.json.ptr, param.json.len };
            _ = try failure.call(c.mlflow_gateway_request_set_param_json, value);
        }
        _ = try failure.call(c.mlflow_gateway_request_set_cancel_token, .{ object, self.token.object });
        _ = try failure.call(function, .{ client.object, object, &result });
        return result;
    }
};

/// A route of a gateway.
pub const Client = struct {
    object: ?*c.mlflow_gateway = null,

    pub fn init(route: ?[*:0]const u8, uri: ?[*:0]const u8, failure: *Failure) Error!Client {
        var client: Client = .{};
        _ = try failure.call(c.mlflow_gateway_create, .{ route, uri, &client.object });
        return client;
    }

    pub fn deinit(self: Client) void {
        c.mlflow_gateway_destroy(self.object);
    }

    /// docs/options.md describes the options.
    pub fn setOption(self: Client, name: [*:0]const u8, value: [*:0]const u8, failure: *Failure) Error!void {
        _ = try failure.call(c.mlflow_gateway_set_option, .{ self.object, name, value });
    }

    /// Returns the text of the response to a prompt. The caller frees it.
    pub fn complete(self: Client, allocator: std.mem.Allocator, prompt: [*:0]const u8, failure: *Failure) Error![]u8 {
        var text: [*c]u8 = null;
        var len: usize = 0;
        _ = try failure.call(c.mlflow_gateway_call, .{ self.object, prompt, &text, &len });
        defer c.mlflow_gateway_string_free(text);
        return allocator.dupe(u8, text[0..len]);
    }

    pub fn chat(self: Client, request: Request, failure: *Failure) Error!Response {
        return .read(try request.send(self, c.mlflow_gateway_send, c.mlflow_gateway_response, failure));
    }

    pub fn stream(self: Client, request: Request, failure: *Failure) Error!Stream {
        return .{ .object = try request.send(self, c.mlflow_gateway_stream_open, c.mlflow_gateway_stream, failure) };
    }

    pub fn embed(self: Client, request: Request, failure: *Failure) Error!Embeddings {
        return .{ .object = try request.send(self, c.mlflow_gateway_embed, c.mlflow_gateway_embeddings, failure) };
    }
};

/// The first candidate of a response. `message` is all of it, as JSON.
pub const Response = struct {
    text: ?[]const u8,
    finish_reason: ?[]const u8,
    message: ?[]const u8,
    object: ?*c.mlflow_gateway_response,

    fn read(object: ?*c.mlflow_gateway_response) Response {
        return .{
            .text = slice(c.mlflow_gateway_response_text, .{ object, 0 }),
            .finish_reason = span(c.mlflow_gateway_response_finish_reason(object, 0)),
            .message = slice(c.mlflow_gateway_response_message_json, .{ object, 0 }),
            .object = object,
        };
    }

    pub fn deinit(self: Response) void {
        c.mlflow_gateway_response_destroy(self.object);
    }
};

/// An iterator over the events of a response. It returns null only if the response is complete.
pub const Stream = struct {
    object: ?*c.mlflow_gateway_stream,

    pub const Event = struct { kind: Kind, text: ?[]const u8, candidate: usize };
    pub const Kind = enum(i32) { text = 1, reasoning, refusal, tool_call, finish, usage, other, _ };

    /// The event is valid until the next call.
    pub fn next(self: Stream, failure: *Failure) Error!?Event {
        var event: ?*const c.mlflow_gateway_event = null;
        const status = try failure.call(c.mlflow_gateway_stream_next, .{ self.object, &event });
        return if (status == c.MLFLOW_GATEWAY_STREAM_END) null else .{
            .kind = @enumFromInt(c.mlflow_gateway_event_kind(event)),
            .text = slice(c.mlflow_gateway_event_text, .{event}),
            .candidate = c.mlflow_gateway_event_candidate(event),
        };
    }

    /// Ends the stream, and returns what was received, also after a failure.
    pub fn takeResponse(self: Stream) Response {
        return .read(c.mlflow_gateway_stream_take_response(self.object));
    }

    pub fn deinit(self: Stream) void {
        c.mlflow_gateway_stream_destroy(self.object);
    }
};

pub const Embeddings = struct {
    object: ?*c.mlflow_gateway_embeddings,

    pub fn get(self: Embeddings, input: usize) []const f32 {
        const dimension = c.mlflow_gateway_embeddings_dimension(self.object);
        return c.mlflow_gateway_embeddings_data(self.object)[input * dimension ..][0..dimension];
    }

    pub fn deinit(self: Embeddings) void {
        c.mlflow_gateway_embeddings_destroy(self.object);
    }
};

fn span(text: [*c]const u8) ?[]const u8 {
    return if (text == null) null else std.mem.span(text);
}

fn slice(function: anytype, arguments: anytype) ?[]const u8 {
    var len: usize = 0;
    const text = @call(.auto, function, arguments ++ .{&len});
    return if (text == null) null else text[0..len];
}

fn snakeCase(comptime name: []const u8) []const u8 {
    var result: []const u8 = "";
    for (name, 0..) |letter, at| {
        if (at > 0 and std.ascii.isUpper(letter)) result = result ++ "_";
        result = result ++ .{std.ascii.toUpper(letter)};
    }
    return result;
}
