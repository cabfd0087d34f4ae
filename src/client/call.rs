//! One call: find out how to ask, and ask until a server answers.

use std::sync::Arc;
use std::time::Instant;

use super::discovery::{Asker, Discovery, Outcome, Plan};
use super::error::{Error, Status};
use super::options::CallOptions;
use super::report::{self, Tried};
use super::request::Asking;
use super::settings::Settings;
use crate::dialect::{self, Dialect, Kind, Malformed, Params, Question, Refusal, Task};
use crate::http::{Agent, Exchange, Failure, GatewayUri, Headers, Incoming, Method, Reply};

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
    pub target: &'a Arc<Target>,
    settings: Arc<Settings>,
    /// With the request's own, if it has any; else those of the settings.
    params: Option<Params>,
    headers: Option<Headers>,
    pub options: CallOptions,
    pub started: Instant,
    deadline: Instant,
}

/// What is wanted of the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Text,
    Stream,
    Vectors,
}

/// A server that said yes, and how it was asked.
pub(super) struct Asked<R> {
    pub answer: R,
    pub plan: Plan,
    pub path: String,
    /// How often the question was sent.
    pub attempts: u32,
    /// Whether the plan was guessed, so that it is to be remembered if the answer is one.
    is_news: bool,
}

/// How a server answers that was asked for a stream.
pub(super) enum Opened {
    /// With the head of one.
    Stream(Incoming),
    /// All at once: it does not stream.
    Whole(Reply),
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
    pub fn begin(target: &'a Arc<Target>, settings: Arc<Settings>, asking: Option<&Asking>) -> Call<'a> {
        let mut options = settings.options.call;
        let (mut params, mut headers) = (None, None);
        if let Some(asking) = asking {
            asking.options.iter().for_each(|setting| options.set(*setting));
            params = (!asking.params.is_empty()).then(|| settings.params.with(&asking.params));
            headers = (!asking.headers.is_empty()).then(|| settings.headers.with(&asking.headers));
        }
        let started = Instant::now();
        Call { target, settings, params, headers, options, started, deadline: started + options.timeout }
    }

    /// Asks and reads the whole answer.
    pub fn ask(&self, question: Question, wanted: Wanted) -> Result<Asked<Reply>, Error> {
        self.ask_by(question, wanted, |exchange| {
            let reply = self.target.agent.exchange(exchange)?;
            Ok(if reply.is_success() { Ok(reply) } else { Err(reply) })
        })
    }

    /// Asks for a stream and reads the head of the answer.
    pub fn open(&self, question: Question) -> Result<Asked<Opened>, Error> {
        self.ask_by(question, Wanted::Stream, |exchange| {
            let mut incoming = self.target.agent.open(exchange)?;
            if incoming.is_success() && incoming.is_event_stream() {
                return Ok(Ok(Opened::Stream(incoming)));
            }
            let reply = incoming.reply()?;
            self.target.agent.keep(incoming, exchange.tls, exchange.max_connections);
            Ok(if reply.is_success() { Ok(Opened::Whole(reply)) } else { Err(reply) })
        })
    }

    /// Asks as is known or most likely, and then in the other ways that come into question. `send` returns a success,
    /// or within it a refusal.
    fn ask_by<R>(
        &self,
        question: Question,
        wanted: Wanted,
        send: impl Fn(&Exchange) -> Result<Result<R, Reply>, Failure>,
    ) -> Result<Asked<R>, Error> {
        check_question(question, wanted)?;
        let until = self.discovery_deadline();
        let asker = Asker { settings: Arc::clone(&self.settings), has_own_headers: self.headers.is_some() };
        let known = match self.target.discovery.find(&asker, until, || self.discover(until)) {
            Outcome::Known(plan) => Some(plan),
            Outcome::Silent => None,
            Outcome::Failed(error) => return Err(error),
        };
        let likely_task = if wanted == Wanted::Vectors { Task::Embeddings } else { question.likely_task() };
        let mut plan = known.unwrap_or(Plan { dialect: self.dialects()[0], task: likely_task });
        self.check(plan, question, wanted)?;
        let mut tried = Vec::new();
        let mut attempts = 0;
        let mut first_error = None;
        loop {
            tried.push(plan);
            let path = plan.dialect.invocations_path(&self.target.route);
            let miss = match self.attempt(plan, question, wanted, &path, &send) {
                Ok(answer) => {
                    return Ok(Asked { answer, plan, path, attempts: attempts + 1, is_news: known != Some(plan) });
                }
                Err(miss) => miss,
            };
            attempts += u32::from(miss.was_sent);
            if miss.is_plan_wrong {
                self.target.discovery.forget(plan);
            }
            let next = miss.next.filter(|next| !tried.contains(next) && self.check(*next, question, wanted).is_ok());
            match next {
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

    /// Whether a route of this kind can give what is wanted.
    fn check(&self, plan: Plan, question: Question, wanted: Wanted) -> Result<(), Error> {
        let is_for = |what| format!("is for {}: {what}", plan.task.as_str());
        let problem = match (wanted, plan.task) {
            (Wanted::Vectors, Task::Embeddings) => return Ok(()),
            (Wanted::Vectors, _) => is_for("it gives text, not vectors"),
            (_, Task::Embeddings) => is_for("it gives vectors, not text"),
            (_, Task::Completions) if matches!(question, Question::Messages(_)) => {
                is_for("it takes a prompt, not messages")
            }
            (Wanted::Stream, _) if !plan.dialect.streams() => {
                "is of a gateway of MLflow 2.5 to 2.8, which cannot stream; ask for the whole answer".to_owned()
            }
            _ => return Ok(()),
        };
        let Target { route, uri, .. } = &**self.target;
        Err(Error::new(Status::Unsupported, format!("the route \"{route}\" of {uri} {problem}")))
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
                        let tried = Tried::of(&exchange);
                        return Outcome::Failed(report::refusal(&tried, reply, refusal, &self.target.route));
                    }
                }
                Err(failure @ (Failure::Resolve(_) | Failure::Connect(_) | Failure::Tls(_) | Failure::Proxy(_))) => {
                    return Outcome::Failed(self.failed(&Tried::of(&exchange), failure));
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
            headers: self.headers(),
            body,
            deadline: self.deadline,
            tls: &self.settings.options.tls,
            max_connections: self.settings.options.max_connections,
        }
    }

    pub fn headers(&self) -> &Headers {
        self.headers.as_ref().unwrap_or(&self.settings.headers)
    }

    fn attempt<R>(
        &self,
        plan: Plan,
        question: Question,
        wanted: Wanted,
        path: &str,
        send: impl Fn(&Exchange) -> Result<Result<R, Reply>, Failure>,
    ) -> Result<R, Miss> {
        let params = self.params.as_ref().unwrap_or(&self.settings.params);
        let body = plan.dialect.encode(question, plan.task, params, wanted == Wanted::Stream);
        let exchange = self.exchange(Method::Post, path, &body);
        let tried = Tried::of(&exchange);
        let reply = match send(&exchange) {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(reply)) => reply,
            Err(failure) => {
                let was_sent = failure.is_after_sending();
                return Err(Miss { was_sent, ..Miss::of(self.failed(&tried, failure)) });
            }
        };
        let refusal = Refusal::read(reply.status, &reply.body);
        let is_path_missing = refusal.kind == Kind::NoSuchPath;
        let wants_chat =
            refusal.wants_messages && plan.task == Task::Completions && matches!(question, Question::Prompt(_));
        let next = if wants_chat {
            Some(Plan { task: Task::Chat, ..plan })
        } else if is_path_missing {
            let other = self.dialects().iter().find(|dialect| dialect.name() != plan.dialect.name());
            other.map(|dialect| Plan { dialect: *dialect, ..plan })
        } else {
            None
        };
        let error = report::refusal(&tried, reply, refusal, &self.target.route);
        Err(Miss { is_path_missing, is_plan_wrong: is_path_missing || wants_chat, next, ..Miss::of(error) })
    }

    pub fn failed(&self, tried: &Tried, failure: Failure) -> Error {
        report::failure(tried, failure, self.options.timeout)
    }

    /// What was tried, for the words of an error.
    pub fn tried<'b>(&'b self, path: &'b str) -> Tried<'b> {
        Tried { method: Method::Post, uri: &self.target.uri, path, headers: self.headers() }
    }

    /// Understands an answer by `decode`, and learns from it how the server speaks. An answer in another dialect's
    /// shape comes from a server that was replaced since it was asked: it is good, but the next call has to ask anew.
    pub fn understand<R, T>(
        &self,
        asked: &Asked<R>,
        mut decode: impl FnMut(&'static dyn Dialect) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        let plan = asked.plan;
        match decode(plan.dialect) {
            Ok(answer) => {
                self.learn(asked);
                Ok(answer)
            }
            Err(malformed) => {
                let mut others = self.dialects().iter().filter(|dialect| dialect.name() != plan.dialect.name());
                let answer = others.find_map(|dialect| decode(*dialect).ok()).ok_or(malformed)?;
                self.target.discovery.forget(plan);
                Ok(answer)
            }
        }
    }

    /// The server has answered in the way in which it was asked.
    pub fn learn<R>(&self, asked: &Asked<R>) {
        if asked.is_news {
            self.target.discovery.remember(&self.settings, asked.plan);
        }
    }

    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }
}

/// Whether the question can be meant so at all.
fn check_question(question: Question, wanted: Wanted) -> Result<(), Error> {
    let problem = match (wanted, question) {
        (Wanted::Vectors, Question::Inputs(_) | Question::Body(_)) => return Ok(()),
        (Wanted::Vectors, _) => "the request has no inputs to make vectors of",
        (_, Question::Inputs(_)) => {
            "the request has inputs, of which vectors are made; a text needs a prompt or messages"
        }
        _ => return Ok(()),
    };
    Err(Error::new(Status::InvalidArgument, problem))
}

impl<R> Asked<R> {
    /// The answer, and the rest for another form of it.
    pub fn split(self) -> (R, Asked<()>) {
        let Asked { answer, plan, path, attempts, is_news } = self;
        (answer, Asked { answer: (), plan, path, attempts, is_news })
    }
}

impl Asked<()> {
    pub fn with<R>(self, answer: R) -> Asked<R> {
        let Asked { answer: (), plan, path, attempts, is_news } = self;
        Asked { answer, plan, path, attempts, is_news }
    }
}

impl Miss {
    /// A failure after which there is nothing else to try.
    fn of(error: Error) -> Miss {
        Miss { error, was_sent: true, is_path_missing: false, is_plan_wrong: false, next: None }
    }
}
