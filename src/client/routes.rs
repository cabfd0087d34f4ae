//! What a gateway has.

use std::time::Instant;

use super::call::Call;
use super::error::{Error, Status};
use super::http_request::SendError;
use super::nul_string::NulString;
use super::report::{self, ErrorContext};
use super::retry::RetryClass;
use crate::dialect::{self, Dialect, ErrorKind, ErrorResponse, RouteLookup, Task};
use crate::http::{Method, Reply};

/// More pages than any gateway has: MLflow's have 3,000 routes each.
const MAX_PAGES: usize = 1000;

/// More routes than any gateway has.
const MAX_ROUTES: usize = 100_000;

/// All that is said of them together takes no more bytes.
const MAX_JSON: usize = 64 * 1024 * 1024;

/// Routes in the order in which the gateway gives them. They never change.
#[derive(Debug)]
pub struct Routes(Vec<Route>);

/// One of them.
#[derive(Debug)]
pub struct Route {
    /// Its name.
    pub name: NulString,
    /// What it is for, for example `llm/v1/chat`; `None` if the gateway does not say.
    pub route_type: Option<NulString>,
    /// Who runs the model; `None` if the gateway does not say.
    pub provider: Option<NulString>,
    /// Which model answers; `None` if the gateway does not say.
    pub model: Option<NulString>,
    /// Where questions are sent.
    pub url: NulString,
    /// The entry as the gateway wrote it.
    pub json: NulString,
}

impl Routes {
    pub(super) fn list(call: &Call) -> Result<Routes, Error> {
        let (dialect, routes) = call.list(call.dialects(), call.deadline, MAX_PAGES)?;
        routes.into_iter().map(|route| Route::of(call, dialect, route)).collect::<Result<_, _>>().map(Routes)
    }

    pub(super) fn get(call: &Call, name: &str) -> Result<Routes, Error> {
        let (dialect, route) = call.look_up(name)?;
        Ok(Routes(vec![Route::of(call, dialect, route)?]))
    }

    /// All of them.
    pub fn all(&self) -> &[Route] {
        &self.0
    }
}

impl Route {
    fn of(call: &Call, dialect: &dyn Dialect, route: dialect::Route) -> Result<Route, Error> {
        let text = |text: Option<String>| text.map(|text| NulString::of_name(&text)).transpose();
        let path = route.path.unwrap_or_else(|| dialect.invocations_path(&route.name, Task::Chat));
        Ok(Route {
            url: NulString::of_name(&call.target.uri.absolute(&path))?,
            name: NulString::of_name(&route.name)?,
            route_type: text(route.route_type)?,
            provider: text(route.provider)?,
            model: text(route.model)?,
            json: NulString::of(&route.json)?,
        })
    }
}

impl Call<'_> {
    /// The routes of so many pages, in the first of these dialects in which the server answers.
    pub fn list(
        &self,
        dialects: &[&'static dyn Dialect],
        deadline: Instant,
        pages: usize,
    ) -> Result<(&'static dyn Dialect, Vec<dialect::Route>), Error> {
        self.first_answer(dialects, |dialect| {
            if let Some(details) = self.details(dialect, deadline) {
                return Ok(details);
            }
            // One page is for a hint, or to see how the server speaks.
            let repeat = if pages == 1 { RetryClass::Never } else { RetryClass::ModelRequest };
            let (mut routes, mut page, mut length) = (Vec::new(), None::<String>, 0);
            for number in 1..=pages {
                let path = dialect.list_path(page.as_deref());
                let tried = self.tried(Method::Get, &path);
                let reply = self.told(&path, deadline, repeat)?;
                if !reply.is_success() {
                    let refusal = ErrorResponse::read(reply.status, &reply.body);
                    let may_be_foreign = may_be_foreign(&refusal) && page.is_none();
                    let error = self.untold(&tried, reply, refusal, dialect);
                    return Err(LookupFailure { error, may_be_foreign });
                }
                let Some(part) = dialect.parse_list(&reply.body) else {
                    let error = report::no_list(&tried, (&reply).into(), "its shape is another one");
                    return Err(LookupFailure { error, may_be_foreign: page.is_none() });
                };
                routes.extend(part.routes);
                length += reply.body.len();
                page = part.next_page_token;
                if page.is_none() || number == pages && pages < MAX_PAGES {
                    return Ok(routes);
                }
                if routes.len() > MAX_ROUTES || length > MAX_JSON {
                    break;
                }
            }
            let what = format!("{MAX_PAGES} pages, {MAX_ROUTES} routes or {MAX_JSON} bytes");
            let problem = format!("the list of the routes of {} has more than {what}", self.target.uri);
            Err(LookupFailure { error: Error::new(Status::ResponseTooLarge, problem), may_be_foreign: false })
        })
    }

    /// All routes, and more of each than the list tells, where the server has it and lets this client see it.
    fn details(&self, dialect: &dyn Dialect, deadline: Instant) -> Option<Vec<dialect::Route>> {
        let reply = self.get(dialect.details_path()?, deadline, RetryClass::Never).ok().filter(Reply::is_success)?;
        Some(dialect.parse_details(&reply.body)?.routes)
    }

    fn look_up(&self, name: &str) -> Result<(&'static dyn Dialect, dialect::Route), Error> {
        self.first_answer(self.dialects(), |dialect| {
            let mut path = dialect.route_path(name);
            let mut reply = self.told(&path, self.deadline, RetryClass::ModelRequest)?;
            if !reply.is_success() {
                let refusal = ErrorResponse::read(reply.status, &reply.body);
                let other = match dialect.fallback_route_path(name, &refusal) {
                    Some(path) => Some((self.told(&path, self.deadline, RetryClass::ModelRequest)?, path)),
                    None => None,
                };
                match other.filter(|(reply, _)| reply.is_success()) {
                    Some(found) => (reply, path) = found,
                    None => {
                        let tried = self.tried(Method::Get, &path);
                        let may_be_foreign = may_be_foreign(&refusal);
                        let error = if dialect.may_lack_route_list() {
                            self.untold(&tried, reply, refusal, dialect)
                        } else {
                            self.refused(&tried, reply, refusal, name, dialect)
                        };
                        return Err(LookupFailure { error, may_be_foreign });
                    }
                }
            }
            let tried = self.tried(Method::Get, &path);
            match dialect.parse_route(name, &reply.body) {
                RouteLookup::Found(route) => {
                    let mut details = self.details(dialect, self.deadline).unwrap_or_default().into_iter();
                    Ok(details.find(|other| other.name == name).unwrap_or(route))
                }
                RouteLookup::Absent => {
                    let hint = self.hint(name, &[dialect]).unwrap_or_default();
                    Err(LookupFailure { error: report::absent(&tried, (&reply).into(), &hint), may_be_foreign: false })
                }
                RouteLookup::Foreign => {
                    Err(LookupFailure { error: report::no_route(&tried, (&reply).into()), may_be_foreign: true })
                }
            }
        })
    }

    /// Asks whether the server is well.
    pub fn health(&self) -> Result<(), Error> {
        let mut asked = Vec::new();
        let dialects: Vec<_> = self.dialects().to_vec();
        let answer = self.first_answer(&dialects, |dialect| {
            let own = self.target.own.as_ref().map(|route| route.name.as_str());
            let path = dialect.health_path(own);
            let tried = self.tried(Method::Get, &path);
            if asked.contains(&path) {
                let problem = format!("{tried}: there is no such path");
                return Err(LookupFailure { error: Error::new(Status::NotFound, problem), may_be_foreign: true });
            }
            asked.push(path.clone());
            let reply = self.told(&path, self.deadline, RetryClass::Never)?;
            if !reply.is_success() {
                let refusal = ErrorResponse::read(reply.status, &reply.body);
                let may_be_foreign = may_be_foreign(&refusal);
                let error = match own {
                    Some(own) if !dialect.may_lack_route_list() => report::refusal(&tried, reply, refusal, own),
                    _ => self.untold(&tried, reply, refusal, dialect),
                };
                return Err(LookupFailure { error, may_be_foreign });
            }
            match dialect.parse_health(&reply.body) {
                Some(true) => Ok(()),
                told => {
                    let error = report::not_healthy(&tried, (&reply).into(), told.is_some());
                    Err(LookupFailure { error, may_be_foreign: told.is_none() })
                }
            }
        });
        answer.map(drop)
    }

    /// What the first of these dialects gives whose paths the server has.
    pub fn first_answer<T>(
        &self,
        dialects: &[&'static dyn Dialect],
        mut ask: impl FnMut(&'static dyn Dialect) -> Result<T, LookupFailure>,
    ) -> Result<(&'static dyn Dialect, T), Error> {
        let mut misses: Vec<LookupFailure> = Vec::new();
        for dialect in self.target.spoken.in_order(dialects) {
            match ask(dialect) {
                Ok(answer) => {
                    self.target.spoken.note(dialect);
                    return Ok((dialect, answer));
                }
                Err(miss) if miss.may_be_foreign => misses.push(miss),
                Err(miss) => return Err(miss.error),
            }
        }
        // A no to whom one is says more than that there is no such path.
        let best =
            misses.iter().position(|miss| !matches!(miss.error.status(), Status::NotFound | Status::BadResponse));
        let best = misses.into_iter().nth(best.unwrap_or_default()).map(|miss| miss.error);
        Err(best.unwrap_or_else(|| Error::new(Status::Internal, "there is no dialect to ask in")))
    }

    /// A refusal to tell of the server and its routes.
    fn untold(&self, tried: &ErrorContext, reply: Reply, refusal: ErrorResponse, dialect: &dyn Dialect) -> Error {
        if refusal.kind == ErrorKind::NoSuchPath && dialect.may_lack_route_list() {
            return report::no_models(tried, reply, refusal);
        }
        report::refusal(tried, reply, refusal, "")
    }

    /// What the server says of itself at this path, whatever its status.
    fn told(&self, path: &str, deadline: Instant, repeat: RetryClass) -> Result<Reply, LookupFailure> {
        self.get(path, deadline, repeat).map_err(|trouble| {
            let error = match trouble {
                SendError::Transport(failure) => self.failed(&self.tried(Method::Get, path), failure),
                SendError::Other(error) => error,
            };
            LookupFailure { error, may_be_foreign: false }
        })
    }
}

/// Why a dialect gave nothing.
pub(super) struct LookupFailure {
    pub error: Error,
    /// Whether the server may speak another one.
    pub may_be_foreign: bool,
}

/// A tracking server lets not everybody see what is none of its paths.
fn may_be_foreign(refusal: &ErrorResponse) -> bool {
    matches!(refusal.kind, ErrorKind::NoSuchPath | ErrorKind::Unauthorized | ErrorKind::Forbidden)
}
