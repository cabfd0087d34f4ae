//! Chooses the dialect and the task of a model request: before the first attempt, and after each error response that
//! shows another choice.

use std::sync::Arc;

use super::attempts::Attempts;
use super::context::CallContext;
use super::discovery::{Discovered, DiscoveryContext, Plan, RouteInfo};
use super::error::{Error, Status};
use super::probe::{self, probe};
use super::target::TargetRoute;
use crate::dialect::{Content, Dialect, ErrorKind, ErrorResponse, Task};
use crate::http::{Method, Phase, TransportError};

/// What a model request is to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Text,
    Stream,
    Embeddings,
}

/// What an error response shows about the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mismatch {
    /// The server has no such path: it has another dialect, or not this route.
    Path,
    /// The route has this task instead.
    Task(Task),
    /// The route may have another task that takes the same content.
    MaybeTask,
}

impl Mismatch {
    pub fn of(response: &ErrorResponse, plan: Plan, content: Content) -> Option<Mismatch> {
        let is_prompt = matches!(content, Content::Prompt(_));
        match response.kind {
            ErrorKind::NoSuchPath => Some(Mismatch::Path),
            ErrorKind::BadRequest if is_prompt && response.requires_messages && plan.task == Task::Completions => {
                Some(Mismatch::Task(Task::Chat))
            }
            ErrorKind::BadRequest if is_prompt && response.requires_prompt && plan.task == Task::Chat => {
                Some(Mismatch::Task(Task::Completions))
            }
            ErrorKind::BadRequest if is_prompt || matches!(content, Content::Messages(_)) => Some(Mismatch::MaybeTask),
            _ => None,
        }
    }
}

/// The plans of one model request.
pub(super) struct Planner<'a> {
    context: &'a CallContext<'a>,
    route: &'a TargetRoute,
    content: Content<'a>,
    operation: Operation,
    /// Whether the options and the content alone determine the plan, so that discovery is unnecessary.
    is_determined: bool,
    /// What discovery knows about the route.
    known: Option<RouteInfo>,
    /// Whether the current plan differs from what is known.
    is_new: bool,
    /// The task that the last error response requires.
    required_task: Option<Task>,
    tried: Vec<Plan>,
}

impl<'a> Planner<'a> {
    pub fn new(
        context: &'a CallContext<'a>,
        route: &'a TargetRoute,
        content: Content<'a>,
        operation: Operation,
    ) -> Planner<'a> {
        let has_task = !matches!(content, Content::Prompt(_)) || context.options.task.is_some();
        let forced = context.settings.options().dialect;
        let is_determined = forced.is_some_and(|dialect| has_task || !dialect.has_single_task(&route.name));
        let (known, required_task, tried) = (None, None, Vec::new());
        Planner { context, route, content, operation, is_determined, known, is_new: true, required_task, tried }
    }

    /// Chooses the first plan. Discovers the route if nothing is known about it.
    pub fn first_plan(&mut self, attempts: &mut Attempts) -> Result<Plan, Error> {
        let context = self.context;
        if context.cancel.is_cancelled() {
            return Err(self.cancelled(Phase::Connect));
        }
        self.known =
            if self.is_determined { self.route.discovery.known(&context.settings) } else { self.discover(attempts)? };
        let mut plan = self.known.map_or_else(|| self.first_guess(), |known| self.plan_for(known));
        self.is_new = self.known.is_none();
        // With a forced dialect, the server and not this library rejects what the route cannot do.
        if context.has_forced_dialect() && self.check(plan).is_err() {
            plan = self.first_guess();
            self.is_new = true;
        }
        self.check(plan)?;
        self.tried.push(plan);
        Ok(plan)
    }

    /// Chooses the plan that follows an error response, and notes why; `None` if there is none left.
    pub fn next_plan(
        &mut self,
        failed: Plan,
        mismatch: Option<Mismatch>,
        attempts: &mut Attempts,
    ) -> Result<Option<Plan>, Error> {
        let Some(mismatch) = mismatch else { return Ok(None) };
        if mismatch != Mismatch::MaybeTask {
            self.route.discovery.forget(failed);
            self.context.target.last_dialect.forget(failed.dialect);
        }
        let next = match mismatch {
            Mismatch::Path => self.plan_after_missing_path(failed, attempts)?,
            Mismatch::Task(task) => self.discovered_task(failed, attempts).or(Some(Plan { task, ..failed })),
            Mismatch::MaybeTask => self.discovered_task(failed, attempts),
        };
        // Whether a guessed dialect supports the operation is for the server to decide.
        let next =
            next.filter(|next| !self.tried.contains(next) && (self.known.is_none() || self.check(*next).is_ok()));
        if let Some(next) = next {
            attempts.retry_changed(match next.task {
                _ if mismatch == Mismatch::Path => "no such path",
                Task::Completions => "the route takes a prompt",
                Task::Responses => "the route takes input",
                _ => "the route takes messages",
            });
            self.required_task = Some(next.task).filter(|_| mismatch != Mismatch::Path);
            self.is_new = true;
            self.tried.push(next);
        }
        Ok(next)
    }

    /// What a success of this plan shows about the route, if that is not known yet.
    pub fn learned(&self, plan: Plan) -> Option<RouteInfo> {
        self.is_new.then(|| {
            let has_one_task = plan.dialect.has_single_task(&self.route.name) || self.required_task == Some(plan.task);
            RouteInfo { dialect: plan.dialect, task: Some(plan.task).filter(|_| has_one_task) }
        })
    }

    fn plan_after_missing_path(&self, failed: Plan, attempts: &mut Attempts) -> Result<Option<Plan>, Error> {
        // The server was replaced, or the route was deleted. The server shows which, unless it hides its routes.
        if self.known.is_some() && !self.is_determined && self.tried.len() == 1 {
            match self.probe(attempts) {
                Discovered::Known(route) => return Ok(Some(self.plan_for(route))),
                Discovered::Silent => {}
                Discovered::Failed(error) => return Err(error),
            }
        }
        Ok(self.plan_in_next_dialect(failed))
    }

    /// Discovers the task of a route that so far was guessed from the content.
    fn discovered_task(&mut self, failed: Plan, attempts: &mut Attempts) -> Option<Plan> {
        if !self.is_determined || self.known.is_some() || !failed.dialect.has_single_task(&self.route.name) {
            return None;
        }
        match self.probe(attempts) {
            Discovered::Known(route) if route.task.is_some() => {
                self.route.discovery.remember(&self.context.settings, route);
                self.known = Some(route);
                Some(self.plan_for(route))
            }
            _ => None,
        }
    }

    /// The same task in the next dialect, and after the last dialect in the first.
    fn plan_in_next_dialect(&self, plan: Plan) -> Option<Plan> {
        let dialects = self.context.dialects();
        let index = dialects.iter().position(|dialect| *dialect == plan.dialect)?;
        let dialect = dialects[(index + 1) % dialects.len()];
        Some(Plan { dialect, task: dialect.supported_task(&self.route.name, plan.task) })
    }

    /// Returns what is known about the route, or discovers it; `None` if the server does not report it.
    fn discover(&self, attempts: &mut Attempts) -> Result<Option<RouteInfo>, Error> {
        let context = self.context;
        let deadline = probe::deadline(context);
        let asker =
            DiscoveryContext { settings: Arc::clone(&context.settings), has_own_headers: context.has_own_headers() };
        let probe = || probe(context, &self.route.name, deadline, attempts);
        let found = self.route.discovery.find(&asker, deadline, &context.cancel, probe);
        context.logger.flush();
        match found.map_err(|_| self.cancelled(Phase::Share))? {
            Discovered::Known(route) => Ok(Some(route)),
            Discovered::Silent => Ok(None),
            Discovered::Failed(error) => Err(error),
        }
    }

    /// Discovers the route anew, for this call alone.
    fn probe(&self, attempts: &mut Attempts) -> Discovered {
        probe(self.context, &self.route.name, probe::deadline(self.context), attempts)
    }

    fn plan_for(&self, route: RouteInfo) -> Plan {
        match route.task {
            Some(task) => Plan { dialect: route.dialect, task },
            None => self.guess(route.dialect),
        }
    }

    fn first_guess(&self) -> Plan {
        self.guess(self.context.dialects()[0])
    }

    /// The most likely plan for a route of this dialect whose task is unknown.
    fn guess(&self, dialect: &'static dyn Dialect) -> Plan {
        let route = &self.route.name;
        let task = match self.content {
            _ if self.operation == Operation::Embeddings => Task::Embeddings,
            Content::Prompt(_) => self.context.options.task.unwrap_or_else(|| dialect.prompt_task(route)),
            content => content.default_task(),
        };
        Plan { dialect, task: dialect.supported_task(route, task) }
    }

    /// Fails if a route of this task cannot do the operation with this content.
    fn check(&self, plan: Plan) -> Result<(), Error> {
        let has_task = |what| format!("has the type {}: {what}", plan.task.as_str());
        let problem = match (self.operation, plan.task) {
            (Operation::Embeddings, Task::Embeddings) => return Ok(()),
            (Operation::Embeddings, _) => has_task("it returns text, not embeddings"),
            (_, Task::Embeddings) => has_task("it returns embeddings, not text"),
            (_, Task::Completions) if matches!(self.content, Content::Messages(_)) => {
                has_task("it takes a prompt, not messages")
            }
            (Operation::Stream, _) if !plan.dialect.supports_streaming() => {
                "is on a gateway of MLflow 2.5 to 2.8, which cannot stream; call mlflow_gateway_send() instead"
                    .to_owned()
            }
            _ => return Ok(()),
        };
        let (route, uri) = (&self.route.name, &self.context.target.uri);
        Err(Error::new(Status::Unsupported, format!("the route \"{route}\" of {uri} {problem}")))
    }

    fn cancelled(&self, phase: Phase) -> Error {
        let plan = self.first_guess();
        let path = plan.dialect.invocations_path(&self.route.name, plan.task);
        let error_context = self.context.error_context(Method::Post, &path);
        self.context.transport_error(&error_context, TransportError::Cancelled(phase))
    }
}

/// Fails if the operation does not take this content.
pub(super) fn check_content(content: Content, operation: Operation) -> Result<(), Error> {
    let problem = match (operation, content) {
        (Operation::Embeddings, Content::Inputs(_) | Content::Body(_)) => return Ok(()),
        (Operation::Embeddings, _) => "the request has no inputs for embeddings",
        (_, Content::Inputs(_)) => "the request has inputs for embeddings; to get text, give it a prompt or messages",
        _ => return Ok(()),
    };
    Err(Error::new(Status::InvalidArgument, problem))
}
