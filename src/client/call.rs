//! One call: find out how to ask, and ask until a server answers.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::discovery::{Asker, Discovery, Learned, Outcome, Plan};
use super::error::{Error, Status};
use super::log::{LogLevel, Logger};
use super::options::CallOptions;
use super::report::{self, Secrets, Tried};
use super::request::Asking;
use super::retry::{Attempts, Repeat};
use super::settings::Settings;
use super::suggest;
use super::transact::{Trouble, What};
use crate::dialect::{self, Dialect, Kind, Lookup, Malformed, Params, Question, Refusal, Task};
use crate::http::{Agent, Failure, GatewayUri, Headers, Limit, Method, Opened, Phase, Reply, Secret};
use crate::sync::{CancelTokens, current_process};

/// One part in this many of a call's time may go by in asking the server which dialect it speaks, and no more than this.
const DISCOVERY_SHARE: u32 = 4;
const MAX_DISCOVERY: Duration = Duration::from_secs(5);

/// Whom to ask, over what, and what is known of it.
#[derive(Debug)]
pub(super) struct Target {
    pub route: String,
    pub uri: GatewayUri,
    pub agent: Agent,
    pub discovery: Discovery,
}

/// How long an error may take to find out what exists instead of what does not.
const MAX_HINT: Duration = Duration::from_secs(2);

/// A call has one deadline for all that it does, and the settings as they stood when it began.
pub(super) struct Call<'a> {
    pub target: &'a Arc<Target>,
    settings: Arc<Settings>,
    /// With the request's own, if it has any; else those of the settings.
    params: Option<Params>,
    headers: Option<Headers>,
    pub options: CallOptions,
    /// The handle's and the request's.
    pub cancel: CancelTokens,
    pub logger: Logger,
    /// Whether a token was refused already.
    pub has_refreshed: AtomicBool,
    pub started: Instant,
    pub deadline: Instant,
    pub process: u32,
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
    pub attempts: Attempts,
    /// Whether the plan was guessed, so that it is to be remembered if the answer is one.
    is_news: bool,
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
    pub fn begin(target: &'a Arc<Target>, settings: Arc<Settings>, asking: Option<&Asking>) -> Call<'a> {
        let mut options = settings.options().call;
        let (mut params, mut headers) = (None, None);
        if let Some(asking) = asking {
            asking.options.iter().for_each(|setting| options.set(*setting));
            params = (!asking.params.is_empty()).then(|| settings.params.with(&asking.params));
            headers = (!asking.headers.is_empty()).then(|| settings.sent().with(&asking.headers));
        }
        let cancel = CancelTokens::of([settings.token.as_ref(), asking.and_then(|asking| asking.token.as_ref())]);
        let logger = Logger::new(settings.log.clone());
        let started = Instant::now();
        let (deadline, has_refreshed) = (started + options.timeout, AtomicBool::new(false));
        Call {
            target,
            settings,
            params,
            headers,
            options,
            cancel,
            logger,
            has_refreshed,
            started,
            deadline,
            process: current_process(),
        }
    }

    /// Asks and reads the whole answer.
    pub fn ask(&self, question: Question, wanted: Wanted) -> Result<Asked<Reply>, Error> {
        let (opened, asked) = self.open(question, wanted)?.split();
        match opened.whole() {
            Ok(reply) => Ok(asked.with(reply)),
            Err(failure) => Err(self.failed(&self.asked(&asked), failure).with_attempts(&asked.attempts)),
        }
    }

    /// Asks as is known or most likely, and then in the other ways that come into question. Of a stream the head is
    /// read, of any other answer all.
    pub fn open(&self, question: Question, wanted: Wanted) -> Result<Asked<Opened>, Error> {
        check_question(question, wanted)?;
        let cancelled = |phase| {
            let path = self.dialects()[0].invocations_path(&self.target.route);
            self.failed(&self.tried(Method::Post, &path), Failure::Cancelled(phase))
        };
        if self.cancel.is_cancelled() {
            return Err(cancelled(Phase::Connect));
        }
        let mut attempts = Attempts::default();
        let known = if self.is_plain(question) {
            None
        } else {
            let until = self.discovery_deadline();
            let asker = Asker { settings: Arc::clone(&self.settings), has_own_headers: self.headers.is_some() };
            let found =
                self.target.discovery.find(&asker, until, &self.cancel, || self.discover(until, &mut attempts.reasons));
            self.logger.flush();
            match found.map_err(|_| cancelled(Phase::Share))? {
                Outcome::Known(learned) => Some(learned),
                Outcome::Silent => None,
                Outcome::Failed(error) => return Err(error),
            }
        };
        let likely_task = if wanted == Wanted::Vectors { Task::Embeddings } else { question.likely_task() };
        let likely = Plan { dialect: self.dialects()[0], task: self.dialects()[0].task_for(likely_task) };
        let mut plan = known.map_or(likely, |learned| learned.plan(likely_task));
        if self.settings.options().dialect.is_some() && self.check(plan, question, wanted).is_err() {
            // With a forced dialect the server refuses what the route is not for, not this library.
            plan = likely;
        }
        self.check(plan, question, wanted)?;
        let mut tried = Vec::new();
        let mut again = None;
        let mut first_error = None;
        loop {
            tried.push(plan);
            let path = plan.dialect.invocations_path(&self.target.route);
            let miss = match self.ask_by(plan, question, wanted, &path, again, &mut attempts) {
                Ok(answer) => {
                    self.logger.flush();
                    let is_news = known != Some(Learned::of(plan));
                    return Ok(Asked { answer, plan, path, attempts, is_news });
                }
                Err(miss) => miss,
            };
            self.logger.flush();
            if miss.is_plan_wrong {
                self.target.discovery.forget(plan);
            }
            let next = match miss.next {
                // The server was replaced, or the route has gone: it tells, unless it hides that.
                _ if miss.is_path_missing && known.is_some() && tried.len() == 1 => {
                    match self.discover(self.discovery_deadline(), &mut attempts.reasons) {
                        Outcome::Known(learned) => Some(learned.plan(likely_task)),
                        Outcome::Silent => miss.next,
                        Outcome::Failed(error) => return Err(error.with_attempts(&attempts)),
                    }
                }
                next => next,
            };
            // What a guessed dialect cannot do is for the server to say.
            let next = next.filter(|next| {
                !tried.contains(next) && (known.is_none() || self.check(*next, question, wanted).is_ok())
            });
            match next {
                Some(next) => {
                    let why = if miss.is_path_missing { "there is no such path" } else { "it takes messages" };
                    attempts.reasons.push(why.to_owned());
                    again = Some(why);
                    plan = next;
                    first_error.get_or_insert(miss.error);
                }
                None if miss.is_path_missing => {
                    // Where no guess found a path, the first says it best; the route may be all that is missing.
                    let said_best = first_error.unwrap_or(miss.error);
                    let said_best = match self.hint(&self.target.route, self.dialects()) {
                        Some(hint) => said_best.with_hint(&hint),
                        None => said_best,
                    };
                    return Err(said_best.with_attempts(&attempts));
                }
                None => return Err(miss.error.with_attempts(&attempts)),
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
    pub fn dialects(&self) -> &[&'static dyn Dialect] {
        match &self.settings.options().dialect {
            Some(forced) => std::slice::from_ref(forced),
            None => &dialect::ALL,
        }
    }

    fn discovery_deadline(&self) -> Instant {
        let now = Instant::now();
        now + (self.deadline.saturating_duration_since(now) / DISCOVERY_SHARE).min(MAX_DISCOVERY)
    }

    /// Whether discovery is unnecessary: the dialect is forced, and every request except a prompt tells its task.
    fn is_plain(&self, question: Question) -> bool {
        let is_prompt = matches!(question, Question::Prompt(_));
        self.settings.options().dialect.is_some_and(|dialect| !is_prompt || !dialect.has_one_task())
    }

    /// Asks the server for the route in each dialect, until it answers in one, and notes why something was asked again.
    fn discover(&self, deadline: Instant, reasons: &mut Vec<String>) -> Outcome {
        let is_forced = self.settings.options().dialect.is_some();
        // A server that did not say clearly that it has no such path may speak that dialect all the same.
        let mut is_clear = true;
        for dialect in self.dialects().iter().copied() {
            let path = dialect.route_path(&self.target.route);
            let mut attempts = Attempts::default();
            let asked = self.whole(&What::get(&path, deadline, Repeat::Discovery), &mut attempts);
            reasons.extend_from_slice(&attempts.reasons);
            let reply = match asked {
                Ok(reply) => reply,
                Err(Trouble::Failure(failure @ Failure::Cancelled(_))) => {
                    return Outcome::Failed(self.failed(&self.tried(Method::Get, &path), failure));
                }
                Err(Trouble::Failure(
                    Failure::Timeout(Limit::Total | Limit::Discovery, _)
                    | Failure::ConnectTimeout(Limit::Total | Limit::Discovery, _),
                )) => break,
                Err(Trouble::Failure(failure)) if failure.is_after_sending() => {
                    is_clear = false;
                    continue;
                }
                // There was less time to try it than the question has.
                Err(Trouble::Failure(failure))
                    if deadline < self.deadline
                        && attempts.retries < self.options.retries.max()
                        && self.options.retries.may_follow(Repeat::Discovery, &failure) =>
                {
                    break;
                }
                Err(Trouble::Failure(failure)) => {
                    // The question itself was not asked.
                    attempts.sent = 0;
                    let error = self.failed(&self.tried(Method::Get, &path), failure);
                    return Outcome::Failed(error.with_attempts(&attempts));
                }
                Err(Trouble::Error(error)) => return Outcome::Failed(error),
            };
            if reply.is_success() {
                let task = match dialect.route(&self.target.route, &reply.body) {
                    Lookup::Found(route) => route.task(),
                    // It may be there all the same, but not for everybody's eyes: the question tells.
                    Lookup::Absent => None,
                    Lookup::Foreign => continue,
                };
                // Newer servers have the older ones' paths, too.
                if !is_clear && !dialect.streams() {
                    break;
                }
                self.target.discovery.answered_in(dialect);
                return Outcome::Known(Learned { dialect, task });
            }
            let refusal = Refusal::read(reply.status, &reply.body);
            // Where it says no in another way it may say yes to the next: MLflow's tracking server takes its own header
            // below some paths only, and lets not everybody see all of them.
            if refusal.is_route_absent && !is_forced {
                let tried = self.tried(Method::Get, &path);
                return Outcome::Failed(self.refused(&tried, reply, refusal, &self.target.route, dialect));
            }
            is_clear &= refusal.kind == Kind::NoSuchPath;
        }
        Outcome::Silent
    }

    /// Which routes there are instead of the one that was asked for, as the end of a sentence; `None` if that cannot
    /// be found out quickly.
    pub fn hint(&self, name: &str, dialects: &[&'static dyn Dialect]) -> Option<String> {
        let deadline = self.deadline.min(Instant::now() + MAX_HINT);
        let routes = self.list(dialects, deadline, 1).ok()?.1;
        let names: Vec<_> = routes.iter().map(|route| route.name.as_str()).collect();
        let is_there = names.contains(&name);
        // A server may name its routes as it likes.
        (!is_there).then(|| self.tried(Method::Get, "").secrets.mask(&suggest::instead_of(name, &names)))
    }

    fn ask_by(
        &self,
        plan: Plan,
        question: Question,
        wanted: Wanted,
        path: &str,
        again: Option<&'static str>,
        attempts: &mut Attempts,
    ) -> Result<Opened, Miss> {
        let params = self.params.as_ref().unwrap_or(&self.settings.params);
        let wants_events = wanted == Wanted::Stream;
        let body = plan.dialect.encode(question, plan.task, params, wants_events);
        let (method, level) = (Method::Post, LogLevel::Info);
        let as_question = What::get(path, self.deadline, Repeat::Question);
        let (body, max_body) = (Some(&body[..]), usize::MAX);
        let what = What { method, body, max_body, level, again, wants_events, ..as_question };
        let tried = self.tried(method, path);
        let reply = match self.transact(&what, attempts) {
            Ok(Opened::Whole(reply)) if !reply.is_success() => reply,
            Ok(answer) => return Ok(answer),
            Err(Trouble::Failure(failure)) => return Err(Miss::of(self.failed(&tried, failure))),
            Err(Trouble::Error(error)) => return Err(Miss::of(error)),
        };
        let refusal = Refusal::read(reply.status, &reply.body);
        if refusal.cannot_stream && wanted == Wanted::Stream {
            return Err(Miss::of(report::cannot_stream(&tried, (&reply).into())));
        }
        let is_path_missing = refusal.kind == Kind::NoSuchPath;
        let wants_chat =
            refusal.wants_messages && plan.task == Task::Completions && matches!(question, Question::Prompt(_));
        let next = if wants_chat {
            Some(Plan { task: Task::Chat, ..plan })
        } else if is_path_missing {
            self.behind(plan)
        } else {
            None
        };
        // What exists instead is looked up only once all guesses have failed.
        let error = if is_path_missing {
            report::refusal(&tried, reply, refusal, &self.target.route)
        } else {
            self.refused(&tried, reply, refusal, &self.target.route, plan.dialect)
        };
        Err(Miss { error, is_path_missing, is_plan_wrong: is_path_missing || wants_chat, next })
    }

    /// The same in the dialect behind this one, and behind the last one in the first.
    fn behind(&self, plan: Plan) -> Option<Plan> {
        let dialects = self.dialects();
        let at = dialects.iter().position(|dialect| *dialect == plan.dialect)?;
        let next = dialects[(at + 1) % dialects.len()];
        let task = if next.has_one_task() { plan.task } else { next.task_for(plan.task) };
        Some(Plan { dialect: next, task })
    }

    /// A refusal in words, with the routes that exist where there is no such one.
    pub fn refused(
        &self,
        tried: &Tried,
        reply: Reply,
        refusal: Refusal,
        name: &str,
        dialect: &'static dyn Dialect,
    ) -> Error {
        let may_be_missing = match refusal.kind {
            Kind::NoSuchRoute => true,
            Kind::Forbidden => dialect.refuses_unknown_routes(),
            _ => false,
        };
        let hint = if may_be_missing { self.hint(name, &[dialect]) } else { None };
        let error = report::refusal(tried, reply, refusal, name);
        match hint {
            Some(hint) => error.with_hint(&hint),
            None => error,
        }
    }

    pub fn failed(&self, tried: &Tried, failure: Failure) -> Error {
        report::failure(tried, failure, &self.options)
    }

    /// What was tried, for the words of an error.
    pub fn tried<'b>(&'b self, method: Method<'b>, path: &'b str) -> Tried<'b> {
        Tried {
            method,
            uri: &self.target.uri,
            path,
            secrets: Secrets { headers: self.headers(), auth: &self.settings.options().auth },
        }
    }

    /// As [`Call::tried`], of a question.
    pub fn asked<'b, R>(&'b self, asked: &'b Asked<R>) -> Tried<'b> {
        self.tried(Method::Post, &asked.path)
    }

    /// Masks these, too, where the server repeats them.
    pub fn hide(&mut self, secrets: impl Iterator<Item = Secret>) {
        let mut headers = self.headers().clone();
        secrets.for_each(|secret| headers.hide(&secret));
        self.headers = Some(headers);
    }

    pub fn headers(&self) -> &Headers {
        self.headers.as_ref().unwrap_or_else(|| self.settings.sent())
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
                // A dialect that is forced says where to ask, and newer servers answer there in their own shape.
                let mut others = dialect::ALL.iter().filter(|dialect| **dialect != plan.dialect);
                let answer = others.find_map(|dialect| decode(*dialect).ok()).ok_or(malformed)?;
                if self.dialects().len() > 1 {
                    self.target.discovery.forget(plan);
                }
                Ok(answer)
            }
        }
    }

    /// The server has answered in the way in which it was asked.
    pub fn learn<R>(&self, asked: &Asked<R>) {
        if asked.is_news {
            self.target.discovery.remember(&self.settings, Learned::of(asked.plan));
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
        Miss { error, is_path_missing: false, is_plan_wrong: false, next: None }
    }
}
