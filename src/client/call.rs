//! A model call: sends a request to a route, and sends it in another way if the response shows that the first was wrong.

use std::sync::Arc;

use super::attempts::Attempts;
use super::context::CallContext;
use super::discovery::{Plan, RouteInfo};
use super::error::Error;
use super::http_request::{HttpRequest, SendError};
use super::log::LogLevel;
use super::plan::{Mismatch, Operation, Planner, check_content};
use super::report::{self, ErrorContext};
use super::request::RequestParts;
use super::retry::RetryClass;
use super::send::send;
use super::settings::Settings;
use super::suggestions;
use super::target::{CallRoute, Target, TargetRoute};
use crate::dialect::{self, Content, DecodeError, Dialect, ErrorResponse};
use crate::http::{HttpResponse, Method, Reply};

/// A call to a route.
pub(super) struct Call<'a> {
    pub context: CallContext<'a>,
    route: CallRoute<'a>,
}

/// A successful response, and the request that led to it.
pub(super) struct Accepted<R> {
    pub response: R,
    pub plan: Plan,
    pub path: String,
    pub attempts: Attempts,
    /// What to remember about the route once the response is decoded.
    learned: Option<RouteInfo>,
}

/// An attempt that failed, and whether another plan may succeed.
struct FailedAttempt {
    error: Error,
    mismatch: Option<Mismatch>,
}

impl<'a> Call<'a> {
    pub fn new(
        target: &'a Arc<Target>,
        route: CallRoute<'a>,
        settings: Arc<Settings>,
        request: Option<&RequestParts>,
    ) -> Call<'a> {
        Call { context: CallContext::new(target, settings, request), route }
    }

    /// Sends a request: by the most likely plan, then by the plans that error responses show. Reads all of a response
    /// other than an event stream.
    pub fn send(&self, content: Content, operation: Operation) -> Result<Accepted<HttpResponse>, Error> {
        check_content(content, operation)?;
        let mut attempts = Attempts::default();
        let mut planner = Planner::new(&self.context, self.route(), content, operation);
        let mut plan = planner.first_plan(&mut attempts)?;
        let mut first_error = None;
        loop {
            let outcome = self.attempt(plan, content, operation, &mut attempts);
            self.context.logger.flush();
            let FailedAttempt { error, mismatch } = match outcome {
                Ok((response, path)) => {
                    let learned = planner.learned(plan);
                    return Ok(Accepted { response, plan, path, attempts, learned });
                }
                Err(failed) => failed,
            };
            let Some(mismatch) = mismatch else { return Err(error.with_attempts(&attempts)) };
            match planner.next_plan(plan, mismatch, &mut attempts) {
                Ok(Some(next)) => {
                    first_error.get_or_insert(error);
                    plan = next;
                }
                Ok(None) if mismatch == Mismatch::Path => {
                    // The first plan was the most likely one, so its error is the most helpful.
                    let error = self.with_existing_routes(first_error.unwrap_or(error));
                    return Err(error.with_attempts(&attempts));
                }
                Ok(None) => return Err(error.with_attempts(&attempts)),
                Err(error) => return Err(error.with_attempts(&attempts)),
            }
        }
    }

    /// Sends the request by one plan. Returns the response and the path.
    fn attempt(
        &self,
        plan: Plan,
        content: Content,
        operation: Operation,
        attempts: &mut Attempts,
    ) -> Result<(HttpResponse, String), FailedAttempt> {
        let (context, route) = (&self.context, self.route().name.as_str());
        let path = plan.dialect.invocations_path(route, plan.task);
        let wants_events = operation == Operation::Stream;
        let body = plan.dialect.encode(content, route, plan.task, context.params(), wants_events);
        let request = HttpRequest {
            method: Method::Post,
            path: &path,
            shown_path: None,
            body: Some(&body),
            deadline: context.deadline,
            log_level: LogLevel::Info,
            retry_class: RetryClass::ModelRequest,
            max_body: usize::MAX,
            wants_events,
        };
        let error_context = context.error_context(Method::Post, &path);
        let failed = |error| FailedAttempt { error, mismatch: None };
        let reply = match send(context, &request, attempts) {
            Ok(HttpResponse::Whole(reply)) if !reply.is_success() => reply,
            Ok(response) => return Ok((response, path)),
            Err(SendError::Transport(error)) => return Err(failed(context.transport_error(&error_context, error))),
            Err(SendError::Authentication(error)) => return Err(failed(error)),
        };
        let response = ErrorResponse::read(reply.status, &reply.body);
        if response.cannot_stream && operation == Operation::Stream {
            return Err(failed(report::cannot_stream(&error_context, (&reply).into())));
        }
        let mismatch = Mismatch::of(&response, plan, content);
        let error = match mismatch {
            // The existing routes are looked up only after the last plan.
            Some(Mismatch::Path) => report::error_response(&error_context, reply, response, route),
            _ => suggestions::error_response(context, &error_context, reply, response, route, plan.dialect),
        };
        Err(FailedAttempt { error, mismatch })
    }

    fn with_existing_routes(&self, error: Error) -> Error {
        match suggestions::existing_routes(&self.context, &self.route().name, self.context.dialects()) {
            Some(hint) => error.with_hint(&hint),
            None => error,
        }
    }

    /// Decodes a response and remembers the plan. A response in the shape of another dialect comes from a server that
    /// has just been replaced: it is valid, but the next call discovers the route anew.
    pub fn decode<R, T>(
        &self,
        accepted: &Accepted<R>,
        mut decode: impl FnMut(&'static dyn Dialect) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let plan = accepted.plan;
        match decode(plan.dialect) {
            Ok(response) => {
                self.remember(accepted);
                Ok(response)
            }
            Err(error) => {
                // At the paths of a forced dialect, newer servers respond in their own shape.
                let mut others = dialect::DISCOVERED.iter().filter(|dialect| **dialect != plan.dialect);
                let response = others.find_map(|dialect| decode(*dialect).ok()).ok_or(error)?;
                if self.context.dialects().len() > 1 {
                    self.route().discovery.forget(plan);
                    self.context.target.last_dialect.forget(plan.dialect);
                }
                Ok(response)
            }
        }
    }

    /// Remembers the plan of a response for later calls.
    pub fn remember<R>(&self, accepted: &Accepted<R>) {
        if let Some(learned) = accepted.learned {
            self.route().discovery.remember(&self.context.settings, learned);
            self.context.target.last_dialect.set(learned.dialect);
        }
    }

    fn route(&self) -> &TargetRoute {
        self.route.get()
    }
}

impl<R> Accepted<R> {
    /// Takes the response out, so that another form of it can take its place.
    pub fn split(self) -> (R, Accepted<()>) {
        let Accepted { response, plan, path, attempts, learned } = self;
        (response, Accepted { response: (), plan, path, attempts, learned })
    }

    pub fn error_context<'b>(&'b self, context: &'b CallContext) -> ErrorContext<'b> {
        context.error_context(Method::Post, &self.path)
    }
}

impl Accepted<()> {
    pub fn with<R>(self, response: R) -> Accepted<R> {
        let Accepted { response: (), plan, path, attempts, learned } = self;
        Accepted { response, plan, path, attempts, learned }
    }
}

impl Accepted<HttpResponse> {
    /// Reads an event stream to its end.
    pub fn read_whole(self, context: &CallContext) -> Result<Accepted<Reply>, Error> {
        let (response, accepted) = self.split();
        match response.whole() {
            Ok(reply) => Ok(accepted.with(reply)),
            Err(error) => {
                let error = context.transport_error(&accepted.error_context(context), error);
                Err(error.with_attempts(&accepted.attempts))
            }
        }
    }
}
