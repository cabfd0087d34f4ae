//! Lookups of the server and its routes: one request, one dialect after another, and the list of all routes.

use std::time::Instant;

use super::attempts::Attempts;
use super::context::CallContext;
use super::error::{Error, Status};
use super::http_request::HttpRequest;
use super::report::{self, ErrorContext};
use super::retry::RetryClass;
use super::send::send_whole;
use crate::dialect::{Dialect, ErrorKind, ErrorResponse, Route};
use crate::http::{Method, Reply};

/// More pages than any gateway has. A page of MLflow's has 3,000 routes.
pub(super) const MAX_PAGES: usize = 1000;

/// More routes than any gateway has.
const MAX_ROUTES: usize = 100_000;

/// The limit for all pages together.
const MAX_JSON: usize = 64 * 1024 * 1024;

/// Why a lookup in one dialect failed.
pub(super) struct LookupError {
    pub error: Error,
    /// Whether the server may have another dialect.
    pub may_be_foreign: bool,
}

impl LookupError {
    /// The server has this dialect, or another one would fail in the same way.
    pub fn new(error: Error) -> LookupError {
        LookupError { error, may_be_foreign: false }
    }

    pub fn foreign(error: Error) -> LookupError {
        LookupError { error, may_be_foreign: true }
    }

    /// An error response. A tracking server answers unknown paths of some users with 401 or 403.
    pub fn of_response(kind: ErrorKind, error: Error) -> LookupError {
        let may_be_foreign = matches!(kind, ErrorKind::NoSuchPath | ErrorKind::Unauthorized | ErrorKind::Forbidden);
        LookupError { error, may_be_foreign }
    }
}

/// Sends a GET request. Returns a response of any status.
pub(super) fn get(
    context: &CallContext,
    path: &str,
    deadline: Instant,
    retry_class: RetryClass,
) -> Result<Reply, LookupError> {
    let request = HttpRequest::get(path, deadline, retry_class);
    send_whole(context, &request, &mut Attempts::default())
        .map_err(|error| LookupError::new(context.send_error(&context.error_context(Method::Get, path), error)))
}

/// Looks something up in one dialect after another, beginning with the last one in which the server responded. Returns
/// the first dialect that the server has, and the result.
pub(super) fn in_any_dialect<T>(
    context: &CallContext,
    dialects: &[&'static dyn Dialect],
    mut look_up: impl FnMut(&'static dyn Dialect) -> Result<T, LookupError>,
) -> Result<(&'static dyn Dialect, T), Error> {
    let mut errors = Vec::new();
    for dialect in context.target.last_dialect.sort(dialects) {
        match look_up(dialect) {
            Ok(found) => {
                context.target.last_dialect.set(dialect);
                return Ok((dialect, found));
            }
            Err(LookupError { error, may_be_foreign: true }) => errors.push(error),
            Err(LookupError { error, .. }) => return Err(error),
        }
    }
    // Missing permissions are more helpful than a missing path.
    let is_specific = |error: &Error| !matches!(error.status(), Status::NotFound | Status::BadResponse);
    let best = errors.iter().position(is_specific).unwrap_or_default();
    Err(errors.into_iter().nth(best).unwrap_or_else(|| Error::new(Status::Internal, "there are no dialects")))
}

/// Returns the routes of the first `max_pages` pages, and the dialect in which the server lists them.
pub(super) fn list(
    context: &CallContext,
    dialects: &[&'static dyn Dialect],
    deadline: Instant,
    max_pages: usize,
) -> Result<(&'static dyn Dialect, Vec<Route>), Error> {
    in_any_dialect(context, dialects, |dialect| match detailed_list(context, dialect, deadline) {
        Some(routes) => Ok(routes),
        None => list_pages(context, dialect, deadline, max_pages),
    })
}

fn list_pages(
    context: &CallContext,
    dialect: &dyn Dialect,
    deadline: Instant,
    max_pages: usize,
) -> Result<Vec<Route>, LookupError> {
    // A single page is for a hint or for finding the dialect.
    let retry_class = if max_pages == 1 { RetryClass::Never } else { RetryClass::ModelRequest };
    let (mut routes, mut page, mut length) = (Vec::new(), None::<String>, 0);
    for number in 1..=max_pages {
        let path = dialect.list_path(page.as_deref());
        let error_context = context.error_context(Method::Get, &path);
        let reply = get(context, &path, deadline, retry_class)?;
        if !reply.is_success() {
            let response = ErrorResponse::read(reply.status, &reply.body);
            let kind = response.kind;
            let error = LookupError::of_response(kind, error_response(&error_context, reply, response, dialect));
            return Err(LookupError { may_be_foreign: error.may_be_foreign && page.is_none(), ..error });
        }
        let Some(part) = dialect.parse_list(&reply.body) else {
            let error = report::not_a_list(&error_context, (&reply).into());
            return Err(LookupError { error, may_be_foreign: page.is_none() });
        };
        routes.extend(part.routes);
        length += reply.body.len();
        page = part.next_page_token;
        if page.is_none() || number == max_pages && max_pages < MAX_PAGES {
            return Ok(routes);
        }
        if routes.len() > MAX_ROUTES || length > MAX_JSON {
            break;
        }
    }
    let limits = format!("{MAX_PAGES} pages, {MAX_ROUTES} routes or {MAX_JSON} bytes");
    let problem = format!("the list of routes of {} exceeds {limits}", context.target.uri);
    Err(LookupError::new(Error::new(Status::ResponseTooLarge, problem)))
}

/// Returns all routes with more details, if the server has such a list and the client may read it.
pub(super) fn detailed_list(context: &CallContext, dialect: &dyn Dialect, deadline: Instant) -> Option<Vec<Route>> {
    let reply = get(context, dialect.details_path()?, deadline, RetryClass::Never).ok().filter(Reply::is_success)?;
    Some(dialect.parse_details(&reply.body)?.routes)
}

/// The error for an error response to a lookup that is not about one route.
pub(super) fn error_response(
    error_context: &ErrorContext,
    reply: Reply,
    response: ErrorResponse,
    dialect: &dyn Dialect,
) -> Error {
    if response.kind == ErrorKind::NoSuchPath && dialect.may_lack_route_list() {
        return report::no_model_list(error_context, reply, response);
    }
    report::error_response(error_context, reply, response, "")
}
