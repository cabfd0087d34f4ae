//! The health check of a gateway.

use super::context::CallContext;
use super::error::{Error, Status};
use super::report;
use super::retry::RetryClass;
use super::route_list::{self, LookupError, in_any_dialect};
use crate::dialect::{Dialect, ErrorResponse};
use crate::http::Method;

/// Fails unless the server reports that it is healthy.
pub(super) fn check(context: &CallContext) -> Result<(), Error> {
    // Several dialects have the same path.
    let mut tried_paths = Vec::new();
    in_any_dialect(context, context.dialects(), |dialect| check_dialect(context, dialect, &mut tried_paths)).map(drop)
}

fn check_dialect(
    context: &CallContext,
    dialect: &'static dyn Dialect,
    tried_paths: &mut Vec<String>,
) -> Result<(), LookupError> {
    let own_route = context.target.own.as_ref().map(|route| route.name.as_str());
    let path = dialect.health_path(own_route);
    let error_context = context.error_context(Method::Get, &path);
    if tried_paths.contains(&path) {
        return Err(LookupError::foreign(Error::new(Status::NotFound, format!("{error_context}: no such path"))));
    }
    tried_paths.push(path.clone());
    let reply = route_list::get(context, &path, context.deadline, RetryClass::Never)?;
    if !reply.is_success() {
        let response = ErrorResponse::read(reply.status, &reply.body);
        let kind = response.kind;
        let error = match own_route {
            Some(own_route) if !dialect.may_lack_route_list() => {
                report::error_response(&error_context, reply, response, own_route)
            }
            _ => route_list::error_response(&error_context, reply, response, dialect),
        };
        return Err(LookupError::of_response(kind, error));
    }
    match dialect.parse_health(&reply.body) {
        Some(true) => Ok(()),
        Some(false) => Err(LookupError::new(report::unhealthy(&error_context, (&reply).into()))),
        None => Err(LookupError::foreign(report::not_a_health_check(&error_context, (&reply).into()))),
    }
}
