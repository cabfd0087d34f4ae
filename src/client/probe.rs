//! Asks the server for a route in one dialect after another, to find out which dialect the server has.

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

/// Discovery gets the time that is left to the call divided by this, and at most [`MAX_TIME`].
const TIME_SHARE: u32 = 4;
const MAX_TIME: Duration = Duration::from_secs(5);

/// One path to request, in one dialect.
struct Lookup {
    dialect: &'static dyn Dialect,
    path: String,
    /// Whether it is the dialect's other path for a route, which follows after an error response to the first.
    is_second: bool,
}

/// An error response to a lookup.
struct Rejected {
    dialect: &'static dyn Dialect,
    path: String,
    reply: Reply,
    response: ErrorResponse,
}

enum Outcome {
    Response(Reply),
    /// The connection failed after the request was sent.
    NoResponse,
    /// The result of the discovery.
    End(Discovered),
}

/// When a discovery that begins now has to end.
pub(super) fn deadline(context: &CallContext) -> Instant {
    let now = Instant::now();
    now + (context.deadline.saturating_duration_since(now) / TIME_SHARE).min(MAX_TIME)
}

/// Finds the dialect and the task of a route. Adds the reasons for retries to the attempts of the call.
pub(super) fn probe(context: &CallContext, name: &str, deadline: Instant, attempts: &mut Attempts) -> Discovered {
    let is_forced = context.has_forced_dialect();
    // A server that did not clearly respond that it lacks the path may have the dialect nevertheless.
    let mut is_clear = true;
    // Whether the server itself, and not a proxy in front of it, responded to each path that it does not exist.
    let mut has_no_path = true;
    let (mut first_rejected, mut absent) = (None, None::<Rejected>);
    let first_lookup =
        |dialect: &'static dyn Dialect| Lookup { dialect, path: dialect.route_path(name), is_second: false };
    let mut lookups: VecDeque<_> = dialects(context).into_iter().map(first_lookup).collect();
    while let Some(Lookup { dialect, path, is_second }) = lookups.pop_front() {
        let reply = match ask(context, &path, deadline, attempts) {
            Outcome::Response(reply) => reply,
            Outcome::NoResponse => {
                (is_clear, has_no_path) = (false, false);
                continue;
            }
            Outcome::End(result) => return result,
        };
        if reply.is_success() {
            let task = match dialect.parse_route(name, &reply.body) {
                RouteLookup::Found(route) => route.task(),
                // The route may exist but be hidden from this client: the request itself shows it.
                RouteLookup::Absent => None,
                RouteLookup::Foreign => {
                    has_no_path = false;
                    continue;
                }
            };
            // Newer servers have the older dialect's paths, too.
            if !is_clear && !dialect.supports_streaming() {
                return Discovered::Silent;
            }
            context.target.last_dialect.set(dialect);
            return Discovered::Known(RouteInfo { dialect, task });
        }
        let response = ErrorResponse::read(reply.status, &reply.body);
        let rejected = Rejected { dialect, path, reply, response };
        let second_path = if is_second { None } else { dialect.fallback_route_path(name, &rejected.response) };
        // The next path of the same dialect may have the route: MLflow's tracking server accepts its own auth header
        // below some paths only, and hides some of them from some users.
        let is_absent = rejected.response.is_route_absent && !is_forced;
        if is_absent && second_path.is_none() || is_second && absent.is_some() {
            return Discovered::Failed(absent.unwrap_or(rejected).into_error(context, name));
        }
        if let Some(path) = second_path {
            lookups.push_front(Lookup { dialect, path, is_second: true });
        }
        is_clear &= rejected.response.kind == ErrorKind::NoSuchPath;
        has_no_path &= rejected.response.is_from_server;
        if is_absent {
            absent = Some(rejected);
        } else {
            first_rejected.get_or_insert(rejected);
        }
    }
    match first_rejected {
        // No prompt is sent to a path that is only a guess.
        Some(Rejected { path, reply, response, .. }) if has_no_path && !is_forced => {
            Discovered::Failed(report::no_gateway(&context.error_context(Method::Get, &path), reply, response))
        }
        _ => Discovered::Silent,
    }
}

/// Sends one lookup.
fn ask(context: &CallContext, path: &str, deadline: Instant, attempts: &mut Attempts) -> Outcome {
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
        | TransportError::ConnectTimeout(Limit::Total | Limit::Discovery, _) => Outcome::End(Discovered::Silent),
        error if error.is_after_sending() => Outcome::NoResponse,
        // The request itself has more time to connect.
        error
            if deadline < context.deadline
                && lookup_attempts.retries() < context.options.retries.max()
                && context.options.retries.allows_retry_after(RetryClass::Discovery, &error) =>
        {
            Outcome::End(Discovered::Silent)
        }
        error => {
            let error = message(error).with_attempts(&lookup_attempts.of_failed_lookup());
            Outcome::End(Discovered::Failed(error))
        }
    }
}

/// The dialects to try, beginning with the last one in which the server responded. Newer servers also respond in the
/// oldest dialect, so that one proves nothing.
fn dialects(context: &CallContext) -> Vec<&'static dyn Dialect> {
    let (last_dialect, dialects) = (&context.target.last_dialect, context.dialects());
    match last_dialect.among(dialects) {
        Some(dialect) if dialect.supports_streaming() => last_dialect.sort(dialects),
        _ => dialects.to_vec(),
    }
}

impl Rejected {
    fn into_error(self, context: &CallContext, name: &str) -> Error {
        let Rejected { dialect, path, reply, response } = self;
        let error_context = context.error_context(Method::Get, &path);
        suggestions::error_response(context, &error_context, reply, response, name, dialect)
    }
}
