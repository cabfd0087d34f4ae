//! One call: find out how to ask, and ask until a server answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::discovery::{Discovered, DiscoveryContext, Plan, RouteInfo};
use super::error::{Error, Status};
use super::http_request::{HttpRequest, SendError};
use super::log::{LogLevel, Logger};
use super::options::CallOptions;
use super::report::{self, ErrorContext, Secrets};
use super::request::RequestParts;
use super::retry::{Attempts, RetryClass};
use super::settings::Settings;
use super::suggestions;
use super::target::{CallRoute, Target, TargetRoute};
use crate::dialect::{self, Content, DecodeError, Dialect, ErrorKind, ErrorResponse, Params, RouteLookup, Task};
use crate::http::{Deadline, Headers, HttpResponse, Limit, Method, Phase, Reply, Secret, TransportError};
use crate::sync::CancelTokens;

/// One part in this many of a call's time may go by in asking the server which dialect it speaks, and no more than this.
const DISCOVERY_SHARE: u32 = 4;
const MAX_DISCOVERY: Duration = Duration::from_secs(5);

/// How long an error may take to find out what exists instead of what does not.
const MAX_HINT: Duration = Duration::from_secs(2);

/// A call has one deadline for all that it does, and the settings as they stood when it began.
pub(super) struct Call<'a> {
    pub target: &'a Arc<Target>,
    /// `None`: the call is about the server, or about a route that only its path names.
    route: Option<CallRoute<'a>>,
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
}

/// What is wanted of the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Text,
    Stream,
    Embeddings,
}

/// A server that said yes, and how it was asked.
pub(super) struct Accepted<R> {
    pub answer: R,
    pub plan: Plan,
    pub path: String,
    pub attempts: Attempts,
    /// What is to be remembered if the response is one.
    news: Option<RouteInfo>,
}

/// A refusal to tell of a route.
struct RejectedLookup {
    dialect: &'static dyn Dialect,
    path: String,
    reply: Reply,
    refusal: ErrorResponse,
}

/// Why a plan came to nothing.
struct PlanFailure {
    error: Error,
    is_path_missing: bool,
    /// Whether the server does not speak as the plan says.
    is_plan_wrong: bool,
    /// Whether the route refused what another one would take that looks the same from here.
    may_be_of_another_task: bool,
    /// What may work instead. The server has not begun to answer the question, so asking again does no harm.
    next: Option<Plan>,
}

impl<'a> Call<'a> {
    /// A call to a route, under the settings of a request, if it has one.
    pub fn begin(
        target: &'a Arc<Target>,
        route: Option<CallRoute<'a>>,
        settings: Arc<Settings>,
        asking: Option<&RequestParts>,
    ) -> Call<'a> {
        let mut options = settings.options().call;
        let (mut params, mut headers) = (None, None);
        if let Some(asking) = asking {
            asking.options.iter().for_each(|setting| options.set(*setting));
            params = (!asking.params.is_empty()).then(|| settings.params.merged_with(&asking.params));
            headers = (!asking.headers.is_empty()).then(|| settings.request_headers().with(&asking.headers));
        }
        let cancel = CancelTokens::of([settings.token.as_ref(), asking.and_then(|asking| asking.token.as_ref())]);
        let logger = Logger::new(settings.log.clone());
        let started = Instant::now();
        let (deadline, has_refreshed) = (started + options.timeout, AtomicBool::new(false));
        Call { target, route, settings, params, headers, options, cancel, logger, has_refreshed, started, deadline }
    }

    /// Asks and reads the whole answer.
    pub fn ask(&self, question: Content, wanted: Operation) -> Result<Accepted<Reply>, Error> {
        let (opened, asked) = self.open(question, wanted)?.split();
        match opened.whole(&self.deadline(self.deadline)) {
            Ok(reply) => Ok(asked.with(reply)),
            Err(failure) => Err(self.failed(&self.asked(&asked), failure).with_attempts(&asked.attempts)),
        }
    }

    /// Asks as is known or most likely, and then in the other ways that come into question. Of a stream the head is
    /// read, of any other answer all.
    pub fn open(&self, question: Content, wanted: Operation) -> Result<Accepted<HttpResponse>, Error> {
        check_question(question, wanted)?;
        let route = self.route()?;
        let name = route.name.as_str();
        let likely_plan = |dialect| self.likely_plan(dialect, question, wanted, name);
        let cancelled = |phase| {
            let likely = likely_plan(self.dialects()[0]);
            let path = likely.dialect.invocations_path(name, likely.task);
            self.failed(&self.tried(Method::Post, &path), TransportError::Cancelled(phase))
        };
        if self.cancel.is_cancelled() {
            return Err(cancelled(Phase::Connect));
        }
        let mut attempts = Attempts::default();
        let is_plain = self.is_plain(question, name);
        let mut known = if is_plain {
            route.discovery.known(&self.settings)
        } else {
            let until = self.discovery_deadline();
            let asker =
                DiscoveryContext { settings: Arc::clone(&self.settings), has_own_headers: self.headers.is_some() };
            let discover = || self.discover(name, until, &mut attempts.reasons);
            let found = route.discovery.find(&asker, until, &self.cancel, discover);
            self.logger.flush();
            match found.map_err(|_| cancelled(Phase::Share))? {
                Discovered::Known(learned) => Some(learned),
                Discovered::Silent => None,
                Discovered::Failed(error) => return Err(error),
            }
        };
        let plan_by = |learned: RouteInfo| match learned.task {
            Some(task) => Plan { dialect: learned.dialect, task },
            None => likely_plan(learned.dialect),
        };
        let mut is_news = known.is_none();
        let mut plan = known.map_or_else(|| likely_plan(self.dialects()[0]), plan_by);
        if self.settings.options().dialect.is_some() && self.check(plan, question, wanted).is_err() {
            // With a forced dialect the server refuses what the route is not for, not this library.
            plan = likely_plan(self.dialects()[0]);
            is_news = true;
        }
        let mut told_task = None;
        self.check(plan, question, wanted)?;
        let mut tried = Vec::new();
        let mut again = None;
        let mut first_error = None;
        loop {
            tried.push(plan);
            let miss = match self.ask_by(name, plan, question, wanted, again, &mut attempts) {
                Ok((answer, path)) => {
                    self.logger.flush();
                    let news = is_news.then(|| {
                        let has_one_task = plan.dialect.has_single_task(name) || told_task == Some(plan.task);
                        RouteInfo { dialect: plan.dialect, task: Some(plan.task).filter(|_| has_one_task) }
                    });
                    return Ok(Accepted { answer, plan, path, attempts, news });
                }
                Err(miss) => miss,
            };
            self.logger.flush();
            if miss.is_plan_wrong {
                route.discovery.forget(plan);
                self.target.spoken.forget(plan.dialect);
            }
            let next = match miss.next {
                // The server was replaced, or the route has gone: it tells, unless it hides that.
                _ if miss.is_path_missing && known.is_some() && !is_plain && tried.len() == 1 => {
                    match self.discover(name, self.discovery_deadline(), &mut attempts.reasons) {
                        Discovered::Known(learned) => Some(plan_by(learned)),
                        Discovered::Silent => miss.next,
                        Discovered::Failed(error) => return Err(error.with_attempts(&attempts)),
                    }
                }
                // The task was taken from the request, and the route may be for another one that takes the same.
                _ if miss.may_be_of_another_task
                    && is_plain
                    && known.is_none()
                    && plan.dialect.has_single_task(name) =>
                {
                    match self.discover(name, self.discovery_deadline(), &mut attempts.reasons) {
                        Discovered::Known(learned) if learned.task.is_some() => {
                            route.discovery.remember(&self.settings, learned);
                            known = Some(learned);
                            Some(plan_by(learned)).filter(|next| self.check(*next, question, wanted).is_ok())
                        }
                        _ => miss.next,
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
                    let why = match next.task {
                        _ if miss.is_path_missing => "there is no such path",
                        Task::Completions => "it takes a prompt",
                        Task::Responses => "it takes input",
                        _ => "it takes messages",
                    };
                    told_task = Some(next.task).filter(|_| !miss.is_path_missing);
                    attempts.reasons.push(why.to_owned());
                    again = Some(why);
                    plan = next;
                    is_news = true;
                    first_error.get_or_insert(miss.error);
                }
                None if miss.is_path_missing => {
                    // Where no guess found a path, the first says it best; the route may be all that is missing.
                    let said_best = first_error.unwrap_or(miss.error);
                    let said_best = match self.hint(name, self.dialects()) {
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
    fn check(&self, plan: Plan, question: Content, wanted: Operation) -> Result<(), Error> {
        let is_for = |what| format!("is for {}: {what}", plan.task.as_str());
        let problem = match (wanted, plan.task) {
            (Operation::Embeddings, Task::Embeddings) => return Ok(()),
            (Operation::Embeddings, _) => is_for("it gives text, not vectors"),
            (_, Task::Embeddings) => is_for("it gives vectors, not text"),
            (_, Task::Completions) if matches!(question, Content::Messages(_)) => {
                is_for("it takes a prompt, not messages")
            }
            (Operation::Stream, _) if !plan.dialect.supports_streaming() => {
                "is of a gateway of MLflow 2.5 to 2.8, which cannot stream; ask for the whole answer".to_owned()
            }
            _ => return Ok(()),
        };
        let (route, uri) = (&self.route()?.name, &self.target.uri);
        Err(Error::new(Status::Unsupported, format!("the route \"{route}\" of {uri} {problem}")))
    }

    /// The route of the call, which it has if it asks a model.
    fn route(&self) -> Result<&TargetRoute, Error> {
        let missing = || Error::new(Status::Internal, "the call has no route");
        self.route.as_ref().map(CallRoute::get).ok_or_else(missing)
    }

    /// How a dialect asks a route of which nothing is known.
    fn likely_plan(&self, dialect: &'static dyn Dialect, question: Content, wanted: Operation, route: &str) -> Plan {
        let task = match question {
            _ if wanted == Operation::Embeddings => Task::Embeddings,
            Content::Prompt(_) => self.options.task.unwrap_or_else(|| dialect.prompt_task(route)),
            question => question.default_task(),
        };
        Plan { dialect, task: dialect.supported_task(route, task) }
    }

    /// The dialects that come into question, the likeliest first.
    pub fn dialects(&self) -> &[&'static dyn Dialect] {
        match &self.settings.options().dialect {
            Some(forced) => std::slice::from_ref(forced),
            None => &dialect::DISCOVERED,
        }
    }

    fn discovery_deadline(&self) -> Instant {
        let now = Instant::now();
        now + (self.deadline.saturating_duration_since(now) / DISCOVERY_SHARE).min(MAX_DISCOVERY)
    }

    /// Whether discovery is unnecessary: the dialect is forced, and every request except a prompt tells its task.
    fn is_plain(&self, question: Content, route: &str) -> bool {
        let is_prompt = matches!(question, Content::Prompt(_)) && self.options.task.is_none();
        self.settings.options().dialect.is_some_and(|dialect| !is_prompt || !dialect.has_single_task(route))
    }

    /// Asks the server for the route in each dialect, until it answers in one, and notes why something was asked again.
    fn discover(&self, name: &str, deadline: Instant, reasons: &mut Vec<String>) -> Discovered {
        let is_forced = self.settings.options().dialect.is_some();
        // A server that did not say clearly that it has no such path may speak that dialect all the same.
        let mut is_clear = true;
        // Whether the server itself, and not a proxy before it, has said of each path that it has none.
        let mut has_none = true;
        let (mut first_refused, mut absent) = (None, None::<RejectedLookup>);
        let mut places: VecDeque<_> =
            self.in_order_of_discovery().into_iter().map(|dialect| (dialect, dialect.route_path(name), true)).collect();
        while let Some((dialect, path, is_first)) = places.pop_front() {
            let mut attempts = Attempts::default();
            let asked = self.whole(&HttpRequest::get(&path, deadline, RetryClass::Discovery), &mut attempts);
            reasons.extend_from_slice(&attempts.reasons);
            let reply = match asked {
                Ok(reply) => reply,
                Err(SendError::Transport(failure @ TransportError::Cancelled(_))) => {
                    return Discovered::Failed(self.failed(&self.tried(Method::Get, &path), failure));
                }
                Err(SendError::Transport(
                    TransportError::Timeout(Limit::Total | Limit::Discovery, _)
                    | TransportError::ConnectTimeout(Limit::Total | Limit::Discovery, _),
                )) => return Discovered::Silent,
                Err(SendError::Transport(failure)) if failure.is_after_sending() => {
                    (is_clear, has_none) = (false, false);
                    continue;
                }
                // There was less time to try it than the question has.
                Err(SendError::Transport(failure))
                    if deadline < self.deadline
                        && attempts.retries < self.options.retries.max()
                        && self.options.retries.may_follow(RetryClass::Discovery, &failure) =>
                {
                    return Discovered::Silent;
                }
                Err(SendError::Transport(failure)) => {
                    // The question itself was not asked.
                    attempts.sent = 0;
                    let error = self.failed(&self.tried(Method::Get, &path), failure);
                    return Discovered::Failed(error.with_attempts(&attempts));
                }
                Err(SendError::Other(error)) => return Discovered::Failed(error),
            };
            if reply.is_success() {
                let task = match dialect.parse_route(name, &reply.body) {
                    RouteLookup::Found(route) => route.task(),
                    // It may be there all the same, but not for everybody's eyes: the question tells.
                    RouteLookup::Absent => None,
                    RouteLookup::Foreign => {
                        has_none = false;
                        continue;
                    }
                };
                // Newer servers have the older ones' paths, too.
                if !is_clear && !dialect.supports_streaming() {
                    return Discovered::Silent;
                }
                self.target.spoken.note(dialect);
                return Discovered::Known(RouteInfo { dialect, task });
            }
            let refusal = ErrorResponse::read(reply.status, &reply.body);
            let refused = RejectedLookup { dialect, path, reply, refusal };
            let other_path = if is_first { dialect.fallback_route_path(name, &refused.refusal) } else { None };
            // Where it says no in another way it may say yes to the next: MLflow's tracking server takes its own header
            // below some paths only, and lets not everybody see all of them.
            let is_route_absent = refused.refusal.is_route_absent && !is_forced;
            if is_route_absent && other_path.is_none() || !is_first && absent.is_some() {
                let RejectedLookup { dialect, path, reply, refusal } = absent.unwrap_or(refused);
                let tried = self.tried(Method::Get, &path);
                return Discovered::Failed(self.refused(&tried, reply, refusal, name, dialect));
            }
            if let Some(path) = other_path {
                places.push_front((dialect, path, false));
            }
            is_clear &= refused.refusal.kind == ErrorKind::NoSuchPath;
            has_none &= refused.refusal.is_from_server;
            if is_route_absent {
                absent = Some(refused);
            } else {
                first_refused.get_or_insert(refused);
            }
        }
        match first_refused {
            // A prompt is not sent to a path that only a guess names.
            Some(RejectedLookup { path, reply, refusal, .. }) if has_none && !is_forced => {
                Discovered::Failed(report::no_gateway(&self.tried(Method::Get, &path), reply, refusal))
            }
            _ => Discovered::Silent,
        }
    }

    /// The dialects that come into question, beginning with the one in which the server answered of another route; but
    /// newer servers answer as older ones do, too.
    fn in_order_of_discovery(&self) -> Vec<&'static dyn Dialect> {
        match self.target.spoken.of(self.dialects()) {
            Some(spoken) if spoken.supports_streaming() => self.target.spoken.in_order(self.dialects()),
            _ => self.dialects().to_vec(),
        }
    }

    /// Which routes there are instead of the one that was asked for, as the end of a sentence; `None` if that cannot
    /// be found out quickly.
    pub fn hint(&self, name: &str, dialects: &[&'static dyn Dialect]) -> Option<String> {
        let deadline = self.deadline.min(Instant::now() + MAX_HINT);
        let routes = self.list(dialects, deadline, 1).ok()?.1;
        let names: Vec<_> = routes.iter().map(|route| route.name.as_str()).collect();
        let is_there = names.contains(&name);
        // A server may name its routes as it likes.
        (!is_there).then(|| self.tried(Method::Get, "").secrets.mask(&suggestions::instead_of(name, &names)))
    }

    /// Asks once as planned, and returns where that was.
    fn ask_by(
        &self,
        name: &str,
        plan: Plan,
        question: Content,
        wanted: Operation,
        again: Option<&'static str>,
        attempts: &mut Attempts,
    ) -> Result<(HttpResponse, String), PlanFailure> {
        let path = plan.dialect.invocations_path(name, plan.task);
        let params = self.params.as_ref().unwrap_or(&self.settings.params);
        let wants_events = wanted == Operation::Stream;
        let body = plan.dialect.encode(question, name, plan.task, params, wants_events);
        let (method, level) = (Method::Post, LogLevel::Info);
        let as_question = HttpRequest::get(&path, self.deadline, RetryClass::ModelRequest);
        let (body, max_body) = (Some(&body[..]), usize::MAX);
        let what = HttpRequest { method, body, max_body, level, again, wants_events, ..as_question };
        let tried = self.tried(method, &path);
        let reply = match self.transact(&what, attempts) {
            Ok(HttpResponse::Whole(reply)) if !reply.is_success() => reply,
            Ok(answer) => return Ok((answer, path)),
            Err(SendError::Transport(failure)) => return Err(PlanFailure::of(self.failed(&tried, failure))),
            Err(SendError::Other(error)) => return Err(PlanFailure::of(error)),
        };
        let refusal = ErrorResponse::read(reply.status, &reply.body);
        if refusal.is_streaming_unsupported && wanted == Operation::Stream {
            return Err(PlanFailure::of(report::cannot_stream(&tried, (&reply).into())));
        }
        let is_path_missing = refusal.kind == ErrorKind::NoSuchPath;
        let wants_chat =
            refusal.requires_messages && plan.task == Task::Completions && matches!(question, Content::Prompt(_));
        let wants_prompt = refusal.requires_prompt && plan.task == Task::Chat && matches!(question, Content::Prompt(_));
        let next = if wants_chat {
            Some(Plan { task: Task::Chat, ..plan })
        } else if wants_prompt {
            Some(Plan { task: Task::Completions, ..plan })
        } else if is_path_missing {
            self.behind(name, plan)
        } else {
            None
        };
        let may_be_of_another_task =
            refusal.kind == ErrorKind::BadRequest && matches!(question, Content::Prompt(_) | Content::Messages(_));
        // What exists instead is looked up only once all guesses have failed.
        let error = if is_path_missing {
            report::refusal(&tried, reply, refusal, name)
        } else {
            self.refused(&tried, reply, refusal, name, plan.dialect)
        };
        let is_plan_wrong = is_path_missing || wants_chat || wants_prompt;
        Err(PlanFailure { error, is_path_missing, is_plan_wrong, may_be_of_another_task, next })
    }

    /// The same in the dialect behind this one, and behind the last one in the first.
    fn behind(&self, name: &str, plan: Plan) -> Option<Plan> {
        let dialects = self.dialects();
        let at = dialects.iter().position(|dialect| *dialect == plan.dialect)?;
        let next = dialects[(at + 1) % dialects.len()];
        let task = next.supported_task(name, plan.task);
        Some(Plan { dialect: next, task })
    }

    /// A refusal in words, with the routes that exist where there is no such one.
    pub fn refused(
        &self,
        tried: &ErrorContext,
        reply: Reply,
        refusal: ErrorResponse,
        name: &str,
        dialect: &'static dyn Dialect,
    ) -> Error {
        let may_be_missing = match refusal.kind {
            ErrorKind::NoSuchRoute => true,
            ErrorKind::Forbidden => dialect.forbids_unknown_routes(),
            _ => false,
        };
        let hint = if may_be_missing { self.hint(name, &[dialect]) } else { None };
        let error = report::refusal(tried, reply, refusal, name);
        match hint {
            Some(hint) => error.with_hint(&hint),
            None => error,
        }
    }

    pub fn failed(&self, tried: &ErrorContext, failure: TransportError) -> Error {
        report::failure(tried, failure, &self.options)
    }

    /// What was tried, for the words of an error.
    pub fn tried<'b>(&'b self, method: Method<'b>, path: &'b str) -> ErrorContext<'b> {
        ErrorContext {
            method,
            uri: &self.target.uri,
            path,
            secrets: Secrets { headers: self.headers(), auth: &self.settings.options().auth },
        }
    }

    /// As [`Call::tried`], of a question.
    pub fn asked<'b, R>(&'b self, asked: &'b Accepted<R>) -> ErrorContext<'b> {
        self.tried(Method::Post, &asked.path)
    }

    /// Masks these, too, where the server repeats them.
    pub fn hide(&mut self, secrets: impl Iterator<Item = Secret>) {
        let mut headers = self.headers().clone();
        secrets.for_each(|secret| headers.mask(&secret));
        self.headers = Some(headers);
    }

    pub fn headers(&self) -> &Headers {
        self.headers.as_ref().unwrap_or_else(|| self.settings.request_headers())
    }

    /// Understands an answer by `decode`, and learns from it how the server speaks. An answer in another dialect's
    /// shape comes from a server that was replaced since it was asked: it is good, but the next call has to ask anew.
    pub fn understand<R, T>(
        &self,
        asked: &Accepted<R>,
        mut decode: impl FnMut(&'static dyn Dialect) -> Result<T, DecodeError>,
    ) -> Result<T, DecodeError> {
        let plan = asked.plan;
        match decode(plan.dialect) {
            Ok(answer) => {
                self.learn(asked);
                Ok(answer)
            }
            Err(malformed) => {
                // A dialect that is forced says where to ask, and newer servers answer there in their own shape.
                let mut others = dialect::DISCOVERED.iter().filter(|dialect| **dialect != plan.dialect);
                let answer = others.find_map(|dialect| decode(*dialect).ok()).ok_or(malformed)?;
                if self.dialects().len() > 1 {
                    self.route.iter().for_each(|route| route.get().discovery.forget(plan));
                    self.target.spoken.forget(plan.dialect);
                }
                Ok(answer)
            }
        }
    }

    /// The server has answered in the way in which it was asked.
    pub fn learn<R>(&self, asked: &Accepted<R>) {
        if let (Some(learned), Some(route)) = (asked.news, &self.route) {
            route.get().discovery.remember(&self.settings, learned);
            self.target.spoken.note(learned.dialect);
        }
    }

    /// Returns the deadline of an exchange, which may end before the call.
    pub fn deadline(&self, end: Instant) -> Deadline<'_> {
        let limit = if end < self.deadline { Limit::Discovery } else { Limit::Total };
        Deadline::new(end, limit, &self.cancel)
    }

    pub fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }
}

/// Whether the question can be meant so at all.
fn check_question(question: Content, wanted: Operation) -> Result<(), Error> {
    let problem = match (wanted, question) {
        (Operation::Embeddings, Content::Inputs(_) | Content::Body(_)) => return Ok(()),
        (Operation::Embeddings, _) => "the request has no inputs to make vectors of",
        (_, Content::Inputs(_)) => {
            "the request has inputs, of which vectors are made; a text needs a prompt or messages"
        }
        _ => return Ok(()),
    };
    Err(Error::new(Status::InvalidArgument, problem))
}

impl<R> Accepted<R> {
    /// The answer, and the rest for another form of it.
    pub fn split(self) -> (R, Accepted<()>) {
        let Accepted { answer, plan, path, attempts, news } = self;
        (answer, Accepted { answer: (), plan, path, attempts, news })
    }
}

impl Accepted<()> {
    pub fn with<R>(self, answer: R) -> Accepted<R> {
        let Accepted { answer: (), plan, path, attempts, news } = self;
        Accepted { answer, plan, path, attempts, news }
    }
}

impl PlanFailure {
    /// A failure after which there is nothing else to try.
    fn of(error: Error) -> PlanFailure {
        let (is_path_missing, is_plan_wrong, may_be_of_another_task) = (false, false, false);
        PlanFailure { error, is_path_missing, is_plan_wrong, may_be_of_another_task, next: None }
    }
}
