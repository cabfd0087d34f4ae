//! Looks a route up in one dialect after another, to find the dialect of the server.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::attempts::Attempts;
use super::context::CallContext;
use super::discovery::{Discovered, RouteInfo};
use super::error::Error;
use super::http_request::{HttpRequest, SendError};
use super::report;
use super::retry::RetryClass;
use super::send::send_whole;
use super::suggestions;
use crate::dialect::{Dialect, ErrorKind, ErrorResponse, RouteLookup};
use crate::http::{Limit, Method, Reply, TransportError};

/// Discovery may take the call's remaining time divided by this, and at most [`MAX_TIME`].
const TIME_SHARE: u32 = 4;
const MAX_TIME: Duration = Duration::from_secs(5);

/// One path to request, in one dialect.
struct Lookup {
    dialect: &'static dyn Dialect,
    path: String,
    /// Whether it is the dialect's fallback path for a route, requested after an error response to the first path.
    is_second: bool,
}

/// An error response to a lookup.
struct ErrorReply {
    dialect: &'static dyn Dialect,
    path: String,
    reply: Reply,
    response: ErrorResponse,
}

/// The result of one lookup.
enum Outcome {
    Response(Reply),
    /// The connection failed after the request was sent.
    NoResponse,
    /// The discovery ends with this result.
    End(Discovered),
}

/// Returns the deadline of a discovery that begins now.
pub(super) fn deadline(context: &CallContext) -> Instant {
    let now = Instant::now();
    now + (context.deadline.saturating_duration_since(now) / TIME_SHARE).min(MAX_TIME)
}

/// Finds the dialect and the task of a route. Adds the reasons for retries to the attempts of the call.
pub(super) fn probe(context: &CallContext, name: &str, deadline: Instant, attempts: &mut Attempts) -> Discovered {
    let is_forced = context.has_forced_dialect();
    // Whether the server certainly has none of the dialects tried so far.
    let mut tried_are_ruled_out = true;
    // Whether the server itself, and not a proxy in front of it, responded to each path that it does not exist.
    let mut has_no_path = true;
    let (mut first_error_reply, mut absent) = (None, None::<ErrorReply>);
    let first_lookup =
        |dialect: &'static dyn Dialect| Lookup { dialect, path: dialect.route_path(name), is_second: false };
    let mut lookups: VecDeque<_> = dialects(context).into_iter().map(first_lookup).collect();
    while let Some(Lookup { dialect, path, is_second }) = lookups.pop_front() {
        let reply = match look_up(context, &path, deadline, attempts) {
            Outcome::Response(reply) => reply,
            Outcome::NoResponse => {
                (tried_are_ruled_out, has_no_path) = (false, false);
                continue;
            }
            Outcome::End(result) => return result,
        };
        if reply.is_success() {
            let task = match dialect.parse_route(name, &reply.body) {
                RouteLookup::Found(route) => route.task(),
                // The server may hide an existing route from this client. The model request shows whether it exists.
                RouteLookup::Absent => None,
                RouteLookup::Foreign => {
                    has_no_path = false;
                    continue;
                }
            };
            // Newer servers have the older dialect's paths, too.
            if !tried_are_ruled_out && !dialect.supports_streaming() {
                return Discovered::Unknown;
            }
            context.target.last_dialect.set(dialect);
            return Discovered::Known(RouteInfo { dialect, task });
        }
        let response = ErrorResponse::read(reply.status, &reply.body);
        let error_reply = ErrorReply { dialect, path, reply, response };
        let second_path = if is_second { None } else { dialect.fallback_route_path(name, &error_reply.response) };
        // The second path of the same dialect may have the route: MLflow's tracking server accepts its own auth header
        // below some paths only, and hides some paths from some users.
        let is_absent = error_reply.response.is_route_absent && !is_forced;
        if is_absent && second_path.is_none() || is_second && absent.is_some() {
            return Discovered::Failed(absent.unwrap_or(error_reply).into_error(context, name));
        }
        if let Some(path) = second_path {
            lookups.push_front(Lookup { dialect, path, is_second: true });
        }
        tried_are_ruled_out &= error_reply.response.kind == ErrorKind::NoSuchPath;
        has_no_path &= error_reply.response.is_from_server;
        if is_absent {
            absent = Some(error_reply);
        } else {
            first_error_reply.get_or_insert(error_reply);
        }
    }
    match first_error_reply {
        // No prompt is sent to a path that is only a guess.
        Some(ErrorReply { path, reply, response, .. }) if has_no_path && !is_forced => {
            Discovered::Failed(report::no_gateway(&context.error_context(Method::Get, &path), reply, response))
        }
        _ => Discovered::Unknown,
    }
}

/// Sends one lookup.
fn look_up(context: &CallContext, path: &str, deadline: Instant, attempts: &mut Attempts) -> Outcome {
    let mut lookup_attempts = Attempts::default();
    let request = HttpRequest::get(path, deadline, RetryClass::Discovery);
    let result = send_whole(context, &request, &mut lookup_attempts);
    attempts.add_lookup(&lookup_attempts);
    let error = match result {
        Ok(reply) => return Outcome::Response(reply),
        Err(SendError::Authentication(error)) => return Outcome::End(Discovered::Failed(error)),
        Err(SendError::Transport(error)) => error,
    };
    let message = |error| context.transport_error(&context.error_context(Method::Get, path), error);
    match error {
        TransportError::Cancelled(_) => Outcome::End(Discovered::Failed(message(error))),
        TransportError::Timeout(Limit::Total | Limit::Discovery, _)
        | TransportError::ConnectTimeout(Limit::Total | Limit::Discovery, _) => Outcome::End(Discovered::Unknown),
        error if error.is_after_sending() => Outcome::NoResponse,
        // The request itself has more time to connect.
        error
            if deadline < context.deadline
                && lookup_attempts.retries() < context.options.retries.max()
                && context.options.retries.allows_retry_after(RetryClass::Discovery, &error) =>
        {
            Outcome::End(Discovered::Unknown)
        }
        error => {
            let error = message(error).with_attempts(&lookup_attempts.without_sent());
            Outcome::End(Discovered::Failed(error))
        }
    }
}

/// Returns the dialects to try, beginning with the last one in which the server responded. A response in the oldest
/// dialect does not count, because newer servers also have its paths.
fn dialects(context: &CallContext) -> Vec<&'static dyn Dialect> {
    let (last_dialect, dialects) = (&context.target.last_dialect, context.dialects());
    match last_dialect.among(dialects) {
        Some(dialect) if dialect.supports_streaming() => last_dialect.sort(dialects),
        _ => dialects.to_vec(),
    }
}

impl ErrorReply {
    fn into_error(self, context: &CallContext, name: &str) -> Error {
        let ErrorReply { dialect, path, reply, response } = self;
        let error_context = context.error_context(Method::Get, &path);
        suggestions::error_response(context, &error_context, reply, response, name, dialect)
    }
}
