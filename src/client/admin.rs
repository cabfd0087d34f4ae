//! Changes to the gateway: its routes and their limits.

use super::attempts::Attempts;
use super::context::CallContext;
use super::error::{Error, Status};
use super::http_request::HttpRequest;
use super::log::LogLevel;
use super::retry::RetryClass;
use super::route_list;
use super::send::send_whole;
use super::suggestions;
use crate::dialect::{Change, ChangeMethod, Dialect, ErrorKind, ErrorResponse};
use crate::http::{Method, Reply, Secret};

/// Makes a change, and returns the JSON of the response.
pub(super) fn change(mut context: CallContext, change: Change) -> Result<String, Error> {
    context.mask(change.secrets().into_iter().map(Secret::from));
    let context = &context;
    let dialect = dialect(context)?;
    let Some(order) = dialect.change_request(change) else {
        let (uri, name) = (&context.target.uri, dialect.name());
        let problem = format!(
            "{uri} has the dialect \"{name}\", which does not support this; change the server's configuration instead"
        );
        return Err(Error::new(Status::Unsupported, problem));
    };
    let method = match order.method {
        ChangeMethod::Get => Method::Get,
        ChangeMethod::Post => Method::Post,
        ChangeMethod::Put => Method::Put,
        ChangeMethod::Delete => Method::Delete,
    };
    let body = (!order.body.is_empty()).then_some(&order.body[..]);
    let retry_class = if method == Method::Get { RetryClass::ModelRequest } else { RetryClass::Change };
    let lookup = HttpRequest::get(&order.path, context.deadline, retry_class);
    let request = HttpRequest { method, body, log_level: LogLevel::Info, ..lookup };
    let error_context = context.error_context(method, &order.path);
    let mut attempts = Attempts::default();
    let error = match send_whole(context, &request, &mut attempts) {
        Ok(reply) if reply.is_success() => {
            let json = json(reply).map_err(|status| {
                Error::new(
                    Status::BadResponse,
                    format!("{error_context}: HTTP status {status}, but the response is not UTF-8"),
                )
            })?;
            return Ok(if matches!(change, Change::GetLimits(_)) { dialect.parse_limits(json) } else { json });
        }
        Ok(reply) => {
            let mut response = ErrorResponse::read(reply.status, &reply.body);
            // The dialect has the path, so this server is too old for it.
            if response.kind == ErrorKind::NoSuchPath {
                response.kind = ErrorKind::Disabled;
            }
            let route = match change {
                Change::GetLimits(name) | Change::SetLimits(name, _) | Change::DeleteRoute(name) => name,
                Change::CreateRoute(_) => "",
            };
            suggestions::error_response(context, &error_context, reply, response, route, dialect)
        }
        Err(error) => context.send_error(&error_context, error),
    };
    Err(error.with_attempts(&attempts))
}

fn json(reply: Reply) -> Result<String, u16> {
    String::from_utf8(reply.body).map_err(|_| reply.status)
}

/// The dialect of the server, which need not have the route of the handle.
fn dialect(context: &CallContext) -> Result<&'static dyn Dialect, Error> {
    let dialects = context.dialects();
    match context.target.last_dialect.among(dialects) {
        Some(dialect) => Ok(dialect),
        None if dialects.len() == 1 => Ok(dialects[0]),
        None => route_list::list(context, dialects, context.deadline, 1).map(|(dialect, _)| dialect),
    }
}
