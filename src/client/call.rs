//! A model call: sends a request to a route, and sends it in another way if the response shows that the first was wrong.

use std::sync::Arc;

use super::attempts::Attempts;
use super::context::CallContext;
use super::discovery::{Plan, RouteInfo};
use super::error::Error;
use super::http_request::HttpRequest;
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

/// The request that led to a successful response.
pub(super) struct AcceptedRequest {
    pub plan: Plan,
    pub path: String,
    pub attempts: Attempts,
    /// What to remember about the route once the response is decoded.
    learned: Option<RouteInfo>,
}

/// The error of an attempt, and what it shows about the plan.
type AttemptError = (Error, Option<Mismatch>);

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
    pub fn send(&self, content: Content, operation: Operation) -> Result<(HttpResponse, AcceptedRequest), Error> {
        check_content(content, operation)?;
        let mut attempts = Attempts::default();
        let mut planner = Planner::new(&self.context, self.route(), content, operation);
        let mut plan = planner.first_plan(&mut attempts)?;
        let mut first_error = None;
        loop {
            let outcome = self.attempt(plan, content, operation, &mut attempts);
            self.context.logger.flush();
            let (error, mismatch) = match outcome {
                Ok((response, path)) => {
                    let learned = planner.learned(plan);
                    return Ok((response, AcceptedRequest { plan, path, attempts, learned }));
                }
                Err(failed) => failed,
            };
            match planner.next_plan(plan, mismatch, &mut attempts) {
                Ok(Some(next)) => {
                    first_error.get_or_insert(error);
                    plan = next;
                }
                Ok(None) => return Err(self.final_error(first_error, error, mismatch).with_attempts(&attempts)),
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
    ) -> Result<(HttpResponse, String), AttemptError> {
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
        let reply = match send(context, &request, attempts) {
            Ok(HttpResponse::Whole(reply)) if !reply.is_success() => reply,
            Ok(response) => return Ok((response, path)),
            Err(error) => return Err((context.send_error(&error_context, error), None)),
        };
        let response = ErrorResponse::read(reply.status, &reply.body);
        if response.is_streaming_unsupported && operation == Operation::Stream {
            return Err((report::cannot_stream(&error_context, (&reply).into()), None));
        }
        let mismatch = Mismatch::of(&response, plan, content);
        let error = match mismatch {
            // The existing routes are looked up only after the last plan.
            Some(Mismatch::Path) => report::error_response(&error_context, reply, response, route),
            _ => suggestions::error_response(context, &error_context, reply, response, route, plan.dialect),
        };
        Err((error, mismatch))
    }

    /// The error after the last plan. If the server has none of the paths, the path of the first plan was the most likely
    /// one, and the route may be missing.
    fn final_error(&self, first: Option<Error>, last: Error, mismatch: Option<Mismatch>) -> Error {
        if mismatch != Some(Mismatch::Path) {
            return last;
        }
        let error = first.unwrap_or(last);
        match suggestions::existing_routes(&self.context, &self.route().name, self.context.dialects()) {
            Some(hint) => error.with_hint(&hint),
            None => error,
        }
    }

    /// Reads the rest of a response.
    pub fn read(&self, request: &AcceptedRequest, response: HttpResponse) -> Result<Reply, Error> {
        response.whole(&self.context.deadline(self.context.deadline)).map_err(|error| {
            self.context.transport_error(&self.error_context(request), error).with_attempts(&request.attempts)
        })
    }

    /// Decodes a response and remembers the plan.
    pub fn decode<T>(
        &self,
        request: &AcceptedRequest,
        reply: &Reply,
        decode: impl FnMut(&'static dyn Dialect) -> Result<T, DecodeError>,
    ) -> Result<T, Error> {
        self.decode_in_any_dialect(request, decode).map_err(|error| {
            report::decode_error(&self.error_context(request), reply.into(), error).with_attempts(&request.attempts)
        })
    }

    fn decode_in_any_dialect<T>(
        &self,
        request: &AcceptedRequest,
        mut decode: impl FnMut(&'static dyn Dialect) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let plan = request.plan;
        match decode(plan.dialect) {
            Ok(response) => {
                self.remember(request);
                Ok(response)
            }
            Err(error) => {
                // The server was replaced, or it is newer than the forced dialect and responds in its own shape.
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

    /// Remembers the plan of a successful request for later calls.
    pub fn remember(&self, request: &AcceptedRequest) {
        if let Some(learned) = request.learned {
            self.route().discovery.remember(&self.context.settings, learned);
            self.context.target.last_dialect.set(learned.dialect);
        }
    }

    pub fn error_context<'b>(&'b self, request: &'b AcceptedRequest) -> ErrorContext<'b> {
        self.context.error_context(Method::Post, &request.path)
    }

    fn route(&self) -> &TargetRoute {
        self.route.get()
    }
}
