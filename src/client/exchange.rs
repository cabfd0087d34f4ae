//! Gets the response to one HTTP request: follows redirects, retries, sends once. All attempts are counted and logged
//! here.

use std::time::Instant;

use super::attempts::Attempts;
use super::context::CallContext;
use super::http_request::{Destination, HttpRequest};
use super::log::LogLevel;
use super::pacer;
use super::pacing::{AttemptOutcome, Overload};
use super::report::{self, ErrorContext};
use super::retry::{RetryClass, RetryPolicy};
use crate::dialect::{ErrorKind, ErrorResponse};
use crate::http::{Exchange, HttpResponse, Limit, Method, Phase, TransportError};
use crate::sync;

type Outcome = Result<HttpResponse, TransportError>;

/// Sends a request to its path, and then to each path to which the server redirects it.
pub(super) fn follow_redirects(
    context: &CallContext,
    request: &HttpRequest,
    to: Destination,
    attempts: &mut Attempts,
) -> Outcome {
    let mut outcome = send_with_retries(context, request, to, attempts);
    for _ in 0..context.options.max_redirects {
        let Some(path) = redirect_path(context, request.method, &outcome) else { break };
        attempts.retry_changed("redirected");
        let shown_path = path.split(['?', '#']).next();
        let request = HttpRequest { path: &path, shown_path, ..*request };
        outcome = send_with_retries(context, &request, Destination { uri: &to.uri.root(), ..to }, attempts);
    }
    outcome
}

/// Returns the path to which the response redirects, if it is on the same server. No other server may see the request.
fn redirect_path(context: &CallContext, method: Method, outcome: &Outcome) -> Option<String> {
    let Ok(HttpResponse::Whole(reply)) = outcome else { return None };
    let keeps_method = matches!(reply.status, 307 | 308)
        || matches!(reply.status, 301 | 302) && matches!(method, Method::Get | Method::Head);
    context.target.uri.path_of_same_server(reply.location.as_ref().filter(|_| keeps_method)?)
}

/// Sends a request, and retries as the options allow.
fn send_with_retries(
    context: &CallContext,
    request: &HttpRequest,
    to: Destination,
    attempts: &mut Attempts,
) -> Outcome {
    let options = &context.options;
    // A server may close an idle connection after it has read the request. A change must not be made twice.
    let may_reuse = request.retry_class != RetryClass::Change;
    let (mut retries, mut has_lost_idle) = (0, false);
    let pacing = context.pacing.filter(|_| !request.is_lookup());
    let begin_attempt = || pacing.map(|pacing| pacing.begin_attempt(request.deadline, &context.cancel)).transpose();
    let mut start = match begin_attempt()? {
        Some(None) => return Err(TransportError::Timeout(Limit::Total, Phase::Backoff)),
        start => start.flatten(),
    };
    loop {
        let outcome = send_once(context, request, to, may_reuse && !has_lost_idle, attempts);
        if let Some((pacing, start)) = pacing.zip(start) {
            pacing.end_attempt(start, attempt_outcome(&outcome));
        }
        if matches!(outcome, Err(TransportError::LostIdle(_))) && !has_lost_idle && Instant::now() < request.deadline {
            // Retried at once, on a new connection. Only MLflow's client counts this as one of its retries.
            has_lost_idle = true;
            if retries == 0 && options.retries.policy == RetryPolicy::Mlflow {
                retries = 1;
            }
        } else {
            let Some(wait) = options.retries.wait(request.retry_class, retries, &outcome) else { return outcome };
            let Some(retry_at) = Instant::now().checked_add(wait).filter(|retry_at| *retry_at < request.deadline)
            else {
                return outcome;
            };
            // No log callback may run during a lookup, because other threads may wait for its result.
            if !request.is_lookup() {
                context.logger.flush();
            }
            // A queue has its own pause after this status, for all requests to the route.
            if pacing.is_none() || outcome.as_ref().map_or(0, HttpResponse::status) != 429 {
                sync::sleep(retry_at, &context.cancel).map_err(|_| TransportError::Cancelled(Phase::Backoff))?;
            }
            (retries, has_lost_idle) = (retries + 1, false);
        }
        start = match begin_attempt()? {
            Some(None) => return outcome,
            start => start.flatten(),
        };
        attempts.retry(match &outcome {
            Ok(response) => format!("HTTP status {}", response.status()),
            Err(error) => report::retry_reason(&error_context(context, request, to), error, options),
        });
    }
}

/// Makes one attempt, counts it and logs it.
fn send_once(
    context: &CallContext,
    request: &HttpRequest,
    to: Destination,
    may_reuse: bool,
    attempts: &mut Attempts,
) -> Outcome {
    let options = context.settings.options();
    let began = Instant::now();
    let mut limits = context.options.limits;
    limits.body = limits.body.min(request.max_body);
    let outcome = context.target.agent.exchange(&Exchange {
        method: request.method,
        uri: to.uri,
        path: request.path,
        headers: to.headers,
        content: to.content,
        body: request.body,
        deadline: context.deadline(request.deadline),
        timeouts: context.options.timeouts,
        limits,
        connect_settings: &options.connect,
        keep_alive: options.keep_alive,
        may_reuse,
        wants_events: request.wants_events,
    });
    log(context, request, to, &outcome, began, attempts);
    attempts.finish(outcome.as_ref().err().is_none_or(TransportError::is_after_sending));
    outcome
}

fn attempt_outcome(outcome: &Outcome) -> AttemptOutcome {
    let (outcome, is_overload) = match outcome {
        Ok(HttpResponse::Whole(reply)) if reply.status == 429 => {
            match ErrorResponse::read(reply.status, &reply.body).kind {
                ErrorKind::RateLimited => {
                    (pacer::Outcome::Refused { retry_after: reply.retry_after }, Some(Overload::Refused))
                }
                _ => (pacer::Outcome::Failed, None),
            }
        }
        Ok(response) => match response.status() {
            200..=299 => (pacer::Outcome::Accepted, None),
            503 => (pacer::Outcome::Failed, Some(Overload::Refused)),
            _ => (pacer::Outcome::Failed, None),
        },
        Err(TransportError::Timeout(..) | TransportError::ConnectTimeout(..)) => {
            (pacer::Outcome::Failed, Some(Overload::TimedOut))
        }
        Err(_) => (pacer::Outcome::Failed, None),
    };
    AttemptOutcome { outcome, is_overload }
}

fn log(
    context: &CallContext,
    request: &HttpRequest,
    to: Destination,
    outcome: &Outcome,
    began: Instant,
    attempts: &Attempts,
) {
    let status = outcome.as_ref().map(HttpResponse::status);
    let level = match status {
        // Without a connection no other request will succeed either.
        Err(error) if !error.is_after_sending() => LogLevel::Error,
        Ok(200..=299) => request.log_level,
        _ if !request.is_lookup() => LogLevel::Error,
        _ => request.log_level,
    };
    if context.logger.is_enabled(level) {
        let error_context = error_context(context, request, to);
        let status = status.map_err(|error| context.transport_error(&error_context, error.clone()));
        context
            .logger
            .push(level, report::log_line(&error_context, status, began.elapsed(), attempts.current_reason()));
    }
}

fn error_context<'a>(context: &'a CallContext, request: &HttpRequest<'a>, to: Destination<'a>) -> ErrorContext<'a> {
    let path = request.shown_path.unwrap_or(request.path);
    ErrorContext { uri: to.uri, ..context.error_context(request.method, path) }
}
