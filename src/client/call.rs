//! One call: find out how to ask, ask, and understand the answer.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::discovery::{Discovery, Outcome, Plan};
use super::error::{Error, Status};
use super::report;
use super::settings::{Settings, Shared};
use crate::dialect::{self, Answer, Dialect, Kind, Malformed, Refusal, Task};
use crate::http::{Agent, Exchange, Failure, GatewayUri, Method};

/// One part in this many of a call's time may go by in asking the server which dialect it speaks.
const DISCOVERY_SHARE: u32 = 4;

/// Whom to ask, over what, and what is known of it.
#[derive(Debug)]
pub(super) struct Target {
    pub route: String,
    pub uri: GatewayUri,
    pub agent: Agent,
    pub discovery: Discovery,
}

/// A call has one deadline for all that it does, and the settings as they stood when it began.
pub(super) struct Call<'a> {
    target: &'a Target,
    settings: Arc<Settings>,
    timeout: Duration,
    deadline: Instant,
}

/// Why a plan came to nothing.
struct Miss {
    error: Error,
    /// Whether any of the question may have reached the server.
    was_sent: bool,
    is_path_missing: bool,
    /// Whether the server does not speak as the plan says.
    is_plan_wrong: bool,
    /// What may work instead. The server has not begun to answer the question, so asking again does no harm.
    next: Option<Plan>,
}

impl<'a> Call<'a> {
    pub fn begin(target: &'a Target, settings: &Shared) -> Call<'a> {
        let settings = settings.snapshot();
        let timeout = settings.options.timeout;
        Call { target, settings, timeout, deadline: Instant::now() + timeout }
    }

    /// The text of the first candidate.
    pub fn prompt(&self, prompt: &str) -> Result<String, Error> {
        let until = self.discovery_deadline();
        let known = match self.target.discovery.find(&self.settings, until, || self.discover(until)) {
            Outcome::Known(plan) => Some(plan),
            Outcome::Silent => None,
            Outcome::Failed(error) => return Err(error),
        };
        if known.is_some_and(|plan| plan.task == Task::Embeddings) {
            return Err(Error::new(
                Status::Unsupported,
                format!(
                    "the route \"{}\" of {} is for {}: it gives vectors, not text",
                    self.target.route,
                    self.target.uri,
                    Task::Embeddings.as_str()
                ),
            ));
        }
        let mut plan = known.unwrap_or(Plan { dialect: self.dialects()[0], task: Task::Completions });
        let mut tried = Vec::new();
        let mut attempts = 0;
        let mut first_error = None;
        loop {
            tried.push(plan);
            let miss = match self.ask(plan, prompt) {
                Ok(text) => {
                    if known != Some(plan) {
                        self.target.discovery.remember(&self.settings, plan);
                    }
                    return Ok(text);
                }
                Err(miss) => miss,
            };
            attempts += u32::from(miss.was_sent);
            if miss.is_plan_wrong {
                self.target.discovery.forget(plan);
            }
            match miss.next.filter(|next| !tried.contains(next)) {
                Some(next) => {
                    plan = next;
                    first_error.get_or_insert(miss.error);
                }
                None => {
                    // Where no guess found a path, the first says it best.
                    let said_best = first_error.filter(|_| miss.is_path_missing).unwrap_or(miss.error);
                    return Err(said_best.with_attempts(attempts));
                }
            }
        }
    }

    /// The dialects that come into question, the likeliest first.
    fn dialects(&self) -> &[&'static dyn Dialect] {
        match &self.settings.options.dialect {
            Some(forced) => std::slice::from_ref(forced),
            None => &dialect::ALL,
        }
    }

    fn discovery_deadline(&self) -> Instant {
        let now = Instant::now();
        now + self.deadline.saturating_duration_since(now) / DISCOVERY_SHARE
    }

    /// Asks the server for the route in each dialect, until it answers in one.
    fn discover(&self, deadline: Instant) -> Outcome {
        for dialect in self.dialects() {
            let path = dialect.route_path(&self.target.route);
            let exchange = Exchange { deadline, ..self.exchange(Method::Get, &path, b"") };
            match self.target.agent.exchange(&exchange) {
                Ok(reply) if reply.is_success() => {
                    if let Some(task) = dialect.route_task(&reply.body) {
                        return Outcome::Known(Plan { dialect: *dialect, task });
                    }
                }
                Ok(reply) => {
                    let refusal = Refusal::read(reply.status, &reply.body);
                    if refusal.kind == Kind::NoSuchRoute {
                        return Outcome::Failed(report::refusal(&exchange, reply, refusal, &self.target.route));
                    }
                }
                Err(failure @ (Failure::Resolve(_) | Failure::Connect(_) | Failure::Tls(_) | Failure::Proxy(_))) => {
                    return Outcome::Failed(report::failure(&exchange, failure, self.timeout));
                }
                Err(Failure::Timeout(_)) => break,
                Err(Failure::Lost(_) | Failure::Protocol(_) | Failure::TooLarge(_) | Failure::OutOfMemory(_)) => {}
            }
        }
        Outcome::Silent
    }

    fn exchange<'b>(&'b self, method: Method, path: &'b str, body: &'b [u8]) -> Exchange<'b> {
        Exchange {
            method,
            uri: &self.target.uri,
            path,
            headers: &self.settings.headers,
            body,
            deadline: self.deadline,
            tls: &self.settings.options.tls,
            max_connections: self.settings.options.max_connections,
        }
    }

    fn ask(&self, plan: Plan, prompt: &str) -> Result<String, Miss> {
        let target = self.target;
        let path = plan.dialect.invocations_path(&target.route);
        let body = plan.dialect.encode_prompt(plan.task, prompt, &self.settings.params);
        let exchange = self.exchange(Method::Post, &path, &body);
        let reply = target.agent.exchange(&exchange).map_err(|failure| {
            let was_sent = failure.is_after_sending();
            Miss { was_sent, ..Miss::of(report::failure(&exchange, failure, self.timeout)) }
        })?;
        if !reply.is_success() {
            let refusal = Refusal::read(reply.status, &reply.body);
            let is_path_missing = refusal.kind == Kind::NoSuchPath;
            let wants_chat = refusal.wants_messages && plan.task == Task::Completions;
            let next = if wants_chat {
                Some(Plan { task: Task::Chat, ..plan })
            } else if is_path_missing {
                let other = self.dialects().iter().find(|dialect| dialect.name() != plan.dialect.name());
                other.map(|dialect| Plan { dialect: *dialect, ..plan })
            } else {
                None
            };
            let error = report::refusal(&exchange, reply, refusal, &target.route);
            let is_plan_wrong = is_path_missing || wants_chat;
            return Err(Miss { is_path_missing, is_plan_wrong, next, ..Miss::of(error) });
        }
        let candidate = match self.understand(plan, &reply.body) {
            Ok(answer) => answer.candidates.into_iter().next(),
            Err(malformed) => return Err(Miss::of(report::malformed(&exchange, &reply, malformed))),
        };
        match candidate {
            Some(candidate) if candidate.text.is_some() || !candidate.asks_for_tools => {
                owned(candidate.text.map_or(Cow::Borrowed(""), |text| text.0)).map_err(Miss::of)
            }
            _ => Err(Miss::of(report::only_tool_calls(&exchange, &reply))),
        }
    }

    /// An answer in another dialect's shape comes from a server that was replaced since it was asked. The answer is
    /// good, but the next call has to ask anew.
    fn understand<'b>(&self, plan: Plan, body: &'b [u8]) -> Result<Answer<'b>, Malformed> {
        plan.dialect.decode(plan.task, body).or_else(|malformed| {
            let mut others = self.dialects().iter().filter(|dialect| dialect.name() != plan.dialect.name());
            let answer = others.find_map(|dialect| dialect.decode(plan.task, body).ok()).ok_or(malformed)?;
            self.target.discovery.forget(plan);
            Ok(answer)
        })
    }
}

/// The server decides how long the text is, so there may be no memory for it.
fn owned(text: Cow<str>) -> Result<String, Error> {
    match text {
        Cow::Owned(text) => Ok(text),
        Cow::Borrowed(text) => {
            let mut copy = String::new();
            copy.try_reserve_exact(text.len()).map_err(|_| {
                Error::new(Status::OutOfMemory, format!("there is no memory for a text of {} bytes", text.len()))
            })?;
            copy.push_str(text);
            Ok(copy)
        }
    }
}

impl Miss {
    /// A failure after which there is nothing else to try.
    fn of(error: Error) -> Miss {
        Miss { error, was_sent: true, is_path_missing: false, is_plan_wrong: false, next: None }
    }
}
