//! Tests of the Zig binding. tests/test_bindings.py starts the gateways that the variables name, and runs it.

const std = @import("std");
const mlflow = @import("mlflow_gateway.zig");
const Client = mlflow.Client;
const Failure = mlflow.Failure;
const Request = mlflow.Request;
const testing = std.testing;

const hello: Request = .{ .messages = &.{.{ .user = "Hello" }} };
const weather = "[{\"type\": \"function\", \"function\": {\"name\": \"weather\", \"parameters\": {\"type\": \"object\"}}}]";

/// A generous limit: a call that was not cancelled would last 5 minutes.
const prompt_end_ms = 20_000;

fn connect(comptime gateway: []const u8, route: [:0]const u8, failure: *Failure) !Client {
    return .init(route, std.posix.getenv(gateway ++ "_URL").?, failure);
}

test "complete returns the text" {
    var failure: Failure = .{};
    defer failure.deinit();
    const client = try connect("GATEWAY", "completions", &failure);
    defer client.deinit();
    const text = try client.complete(testing.allocator, "Hello", &failure);
    defer testing.allocator.free(text);
    try testing.expectEqualStrings("Hello ...", text);
}

test "parameters and any text arrive" {
    var failure: Failure = .{};
    defer failure.deinit();
    const client = try connect("ECHO", "chat", &failure);
    defer client.deinit();
    const request: Request = .{
        .messages = &.{ .{ .system = "" }, .{ .user = "na\u{ef}ve \u{1f600}" }, .{ .assistant = "\x00." } },
        .params = &.{ .{ .name = "temperature", .json = "0.5" }, .{ .name = "stop", .json = "[\"\\n\"]" } },
    };
    const response = try client.chat(request, &failure);
    defer response.deinit();
    const Message = struct { role: []const u8, content: []const u8 };
    const Body = struct { messages: []const Message, temperature: f64, stop: []const []const u8 };
    const options: std.json.ParseOptions = .{ .ignore_unknown_fields = true };
    const parsed = try std.json.parseFromSlice(struct { body: Body }, testing.allocator, response.text.?, options);
    defer parsed.deinit();
    const expected: Body = .{
        .messages = &.{
            .{ .role = "system", .content = "" },
            .{ .role = "user", .content = "na\u{ef}ve \u{1f600}" },
            .{ .role = "assistant", .content = "\x00." },
        },
        .temperature = 0.5,
        .stop = &.{"\n"},
    };
    try testing.expectEqualDeep(expected, parsed.value.body);
}

test "chat continues after a tool call" {
    var failure: Failure = .{};
    defer failure.deinit();
    const client = try connect("GATEWAY", "chat", &failure);
    defer client.deinit();
    const params = [_]Request.Param{.{ .name = "tools", .json = weather }};
    const first = try client.chat(.{ .messages = hello.messages, .params = &params }, &failure);
    defer first.deinit();
    try testing.expectEqual(null, first.text);
    try testing.expectEqualStrings("tool_calls", first.finish_reason.?);
    const result = "{\"role\": \"tool\", \"tool_call_id\": \"call-1\", \"content\": \"12 degrees\"}";
    const messages = [_]Request.Message{ .{ .user = "Hello" }, .{ .json = first.message.? }, .{ .json = result } };
    const second = try client.chat(.{ .messages = &messages, .params = &params }, &failure);
    defer second.deinit();
    try testing.expectEqualStrings("You wrote \"12 degrees\".", second.text.?);
}

test "complete fails if there is no text" {
    var failure: Failure = .{};
    defer failure.deinit();
    const client = try connect("MODEL", "chat", &failure);
    defer client.deinit();
    try testing.expectError(error.NoText, client.complete(testing.allocator, "!tools", &failure));
}

test "stream is an iterator over events" {
    var failure: Failure = .{};
    defer failure.deinit();
    const client = try connect("GATEWAY", "chat", &failure);
    defer client.deinit();
    const stream = try client.stream(hello, &failure);
    defer stream.deinit();
    var text: std.ArrayList(u8) = .empty;
    defer text.deinit(testing.allocator);
    var reasons: usize = 0;
    while (try stream.next(&failure)) |event| switch (event.kind) {
        .text => try text.appendSlice(testing.allocator, event.text.?),
        .finish => reasons += 1,
        else => {},
    };
    try testing.expectEqual(null, try stream.next(&failure));
    try testing.expectEqualStrings("You wrote \"Hello\".", text.items);
    try testing.expectEqual(1, reasons);
    const response = stream.takeResponse();
    defer response.deinit();
    try testing.expectEqualStrings(text.items, response.text.?);
}

test "cut stream is an error, and what was received can be read" {
    var failure: Failure = .{};
    defer failure.deinit();
    const client = try connect("MODEL", "chat", &failure);
    defer client.deinit();
    const stream = try client.stream(.{ .messages = &.{.{ .user = "broken" }} }, &failure);
    defer stream.deinit();
    const end = while (stream.next(&failure)) |event| {
        try testing.expect(event != null);
    } else |err| err;
    try testing.expectEqual(error.StreamTruncated, end);
    try testing.expectEqual(200, failure.http_status);
    const response = stream.takeResponse();
    defer response.deinit();
    try testing.expectEqualStrings("echo: broken", response.text.?);
    try testing.expectEqual(null, response.finish_reason);
}

test "embed returns an embedding for each input" {
    var failure: Failure = .{};
    defer failure.deinit();
    const client = try connect("GATEWAY", "embeddings", &failure);
    defer client.deinit();
    const embeddings = try client.embed(.{ .inputs = &.{ "a", "bb" } }, &failure);
    defer embeddings.deinit();
    try testing.expectEqualSlices(f32, &.{ 1, 0.5, 0.25 }, embeddings.get(0));
    try testing.expectEqualSlices(f32, &.{ 2, 0.5, 0.25 }, embeddings.get(1));
}

test "refusal has the details of the response" {
    var failure: Failure = .{};
    defer failure.deinit();
    const client = try connect("REFUSING", "chat", &failure);
    defer client.deinit();
    try testing.expectError(error.RateLimited, client.chat(hello, &failure));
    try testing.expectEqual(44, failure.status);
    try testing.expectEqual(429, failure.http_status);
    try testing.expectEqual(2000, failure.retry_after_ms);
    try testing.expectEqualStrings("rate_limit_exceeded", failure.code.?);
    try testing.expect(std.mem.indexOf(u8, failure.message, "slow down") != null);
    try testing.expect(std.mem.indexOf(u8, failure.body.?, "slow down") != null);
    try testing.expectError(error.RateLimited, client.stream(hello, &failure));
    try testing.expectError(error.RateLimited, client.complete(testing.allocator, "Hello", &failure));
    const embedder = try connect("REFUSING", "embeddings", &failure);
    defer embedder.deinit();
    try testing.expectError(error.RateLimited, embedder.embed(.{ .inputs = &.{"a"} }, &failure));
}

test "wrong arguments are errors" {
    var failure: Failure = .{};
    defer failure.deinit();
    try testing.expectError(error.Failed, Client.init("chat", "no URI", &failure));
    try testing.expectEqual(2, failure.status);
    const client = try connect("GATEWAY", "chat", &failure);
    defer client.deinit();
    try testing.expectEqualStrings("", failure.message);
    try testing.expectError(error.Failed, client.setOption("timeout_ms", "soon", &failure));
    try testing.expect(std.mem.indexOf(u8, failure.message, "timeout_ms") != null);
    try testing.expectError(error.InvalidArgument, client.embed(hello, &failure));
}

test "a thread cancels a call that waits, and a stream" {
    var failure: Failure = .{};
    defer failure.deinit();
    inline for (.{ .{ "STALLING", "Hello" }, .{ "MODEL", "slow" } }) |each| {
        const client = try connect(each[0], "chat", &failure);
        defer client.deinit();
        const token: mlflow.CancelToken = try .init(&failure);
        defer token.deinit();
        var timer = try std.time.Timer.start();
        const thread = try std.Thread.spawn(.{}, cancelSoon, .{token});
        defer thread.join();
        const request: Request = .{ .messages = &.{.{ .user = each[1] }}, .token = token };
        try testing.expectError(error.Cancelled, readStream(client, request, &failure));
        try testing.expect(timer.read() < prompt_end_ms * std.time.ns_per_ms);
    }
}

fn cancelSoon(token: mlflow.CancelToken) void {
    std.Thread.sleep(200 * std.time.ns_per_ms);
    token.cancel();
}

fn readStream(client: Client, request: Request, failure: *Failure) !void {
    const stream = try client.stream(request, failure);
    defer stream.deinit();
    while (try stream.next(failure)) |_| {}
}
