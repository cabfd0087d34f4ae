//! One call: find out how to ask, ask, and understand the answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::discovery::{Discovery, Outcome, Plan};
use super::error::{Error, Status};
use super::report;
use super::settings::{Settings, Shared};
use crate::dialect::{self, Answer, Dialect, Kind, Malformed, Refusal, Task};
use crate::http::{Agent, Exchange, Failure, GatewayUri, Method, Tls};

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
    tls: Arc<Tls>,
    timeout: Duration,
    deadline: Instant,
}

/// Why a plan came to nothing.
struct Miss {
    error: Error,
    is_path_missing: bool,
    /// Whether the server does not speak as the plan says.
    is_plan_wrong: bool,
    /// What may work instead. The server has not begun to answer the question, so asking again does no harm.
    next: Option<Plan>,
}

impl<'a> Call<'a> {
    pub fn begin(target: &'a Target, settings: &Shared) -> Result<Call<'a>, Error> {
        let settings = settings.snapshot();
        let timeout = settings.options.timeout;
        let tls = Arc::clone(settings.options.tls()?);
        Ok(Call { target, settings, tls, timeout, deadline: Instant::now() + timeout })
    }

    /// The text of the first candidate.
    pub fn prompt(&self, prompt: &str) -> Result<String, Error> {
        let found = self.target.discovery.find(self.settings.options.dialect, self.deadline, || self.discover());
        let known = match found {
            Some(Outcome::Known(plan)) => Some(plan),
            Some(Outcome::Silent) => None,
            Some(Outcome::Failed(error)) => return Err(error),
            None => return Err(report::timed_out_behind_another_call(self.timeout)),
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
        let mut first_error = None;
        loop {
            tried.push(plan);
            let miss = match self.ask(plan, prompt) {
                Ok(text) => {
                    if known != Some(plan) {
                        self.target.discovery.remember(self.settings.options.dialect, plan);
                    }
                    return Ok(text);
                }
                Err(miss) => miss,
            };
            if miss.is_plan_wrong {
                self.target.discovery.forget(plan);
            }
            let error = miss.error.with_attempts(tried.len() as u32);
            match miss.next.filter(|next| !tried.contains(next)) {
                Some(next) => {
                    plan = next;
                    first_error.get_or_insert(error);
                }
                // Where no guess found a path, the first says it best.
                None if miss.is_path_missing => return Err(first_error.unwrap_or(error)),
                None => return Err(error),
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

    /// Asks the server for the route in each dialect, until it answers in one.
    fn discover(&self) -> Outcome {
        let deadline = Instant::now() + self.deadline.saturating_duration_since(Instant::now()) / DISCOVERY_SHARE;
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
                Err(Failure::Lost(_) | Failure::Protocol(_) | Failure::TooLarge(_)) => {}
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
            tls: &self.tls,
            max_connections: self.settings.options.max_connections,
        }
    }

    fn ask(&self, plan: Plan, prompt: &str) -> Result<String, Miss> {
        let target = self.target;
        let path = plan.dialect.invocations_path(&target.route);
        let body = plan.dialect.encode_prompt(plan.task, prompt, &self.settings.params);
        let exchange = self.exchange(Method::Post, &path, &body);
        let reply = target
            .agent
            .exchange(&exchange)
            .map_err(|failure| Miss::of(report::failure(&exchange, failure, self.timeout)))?;
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
            return Err(Miss { error, is_path_missing, is_plan_wrong: is_path_missing || wants_chat, next });
        }
        let candidate = match self.understand(plan, &reply.body) {
            Ok(answer) => answer.candidates.into_iter().next(),
            Err(malformed) => return Err(Miss::of(report::malformed(&exchange, &reply, malformed))),
        };
        match candidate {
            Some(candidate) if candidate.text.is_some() || !candidate.asks_for_tools => {
                Ok(candidate.text.map(|text| text.0.into_owned()).unwrap_or_default())
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

impl Miss {
    /// A failure after which there is nothing else to try.
    fn of(error: Error) -> Miss {
        Miss { error, is_path_missing: false, is_plan_wrong: false, next: None }
    }
}
