//! Sends a prompt, a chat, or inputs to the gateway that MLFLOW_GATEWAY_URI names.

const std = @import("std");
const gateway = @import("mlflow_gateway.zig");

const usage = "usage: example complete PROMPT | chat PROMPT | stream PROMPT | embed INPUT...\n";
const Operation = enum { complete, chat, stream, embed };

pub fn main() !u8 {
    var arena: std.heap.ArenaAllocator = .init(std.heap.c_allocator);
    defer arena.deinit();
    const arguments = try std.process.argsAlloc(arena.allocator());
    var buffer: [4096]u8 = undefined;
    var stdout = std.fs.File.stdout().writerStreaming(&buffer);
    var failure: gateway.Failure = .{};
    defer failure.deinit();

    const operation = if (arguments.len < 3) null else std.meta.stringToEnum(Operation, arguments[1]);
    run(arena.allocator(), operation orelse {
        std.debug.print(usage, .{});
        return 2;
    }, arguments[2..], &stdout.interface, &failure) catch |err| {
        std.debug.print("example: {s}: {s}\n", .{ @errorName(err), failure.message });
        return 1;
    };
    try stdout.interface.flush();
    return 0;
}

fn run(
    allocator: std.mem.Allocator,
    operation: Operation,
    strings: []const [:0]u8,
    out: *std.Io.Writer,
    failure: *gateway.Failure,
) !void {
    const client: gateway.Client = try .init(switch (operation) {
        .complete => "completions",
        .chat, .stream => "chat",
        .embed => "embeddings",
    }, null, failure);
    defer client.deinit();
    try client.setOption("timeout_ms", "60000", failure);
    const request: gateway.Request = .{
        .messages = &.{.{ .user = strings[0] }},
        .params = &.{.{ .name = "temperature", .json = "0" }},
    };
    switch (operation) {
        .complete => try out.print("{s}\n", .{try client.complete(allocator, strings[0], failure)}),
        .chat => {
            const response = try client.chat(request, failure);
            defer response.deinit();
            try out.print("{s}\n", .{response.text orelse "(no text)"});
        },
        .stream => {
            const stream = try client.stream(request, failure);
            defer stream.deinit();
            while (try stream.next(failure)) |event| {
                if (event.kind == .text) try out.print("{s}", .{event.text.?});
                try out.flush();
            }
            try out.print("\n", .{});
        },
        .embed => {
            const inputs = try allocator.alloc([]const u8, strings.len);
            for (strings, inputs) |text, *input| input.* = text;
            const embeddings = try client.embed(.{ .inputs = inputs }, failure);
            defer embeddings.deinit();
            for (inputs, 0..) |input, at| {
                const embedding = embeddings.get(at);
                try out.print("{s}: {d} floats, the first is {d:.2}\n", .{ input, embedding.len, embedding[0] });
            }
        },
    }
}
