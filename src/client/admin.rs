//! Changes of the gateway itself, where it lets itself be changed.

use super::call::Call;
use super::error::{Error, Status};
use super::http_request::{HttpRequest, SendError};
use super::log::LogLevel;
use super::retry::{Attempts, RetryClass};
use crate::dialect::{Change, ChangeMethod, Dialect, ErrorKind, ErrorResponse};
use crate::http::{Method, Secret};

impl Call<'_> {
    /// Asks for a change, and returns the JSON that the server answers.
    pub fn change(mut self, change: Change) -> Result<String, Error> {
        self.hide(change.secrets().into_iter().map(Secret::from));
        let dialect = self.dialect()?;
        let Some(order) = dialect.change_request(change) else {
            let uri = &self.target.uri;
            let problem = format!(
                "{uri} is a server of the dialect \"{}\", which cannot be asked for that; change its configuration instead",
                dialect.name()
            );
            return Err(Error::new(Status::Unsupported, problem));
        };
        let method = match order.method {
            ChangeMethod::Get => Method::Get,
            ChangeMethod::Post => Method::Post,
            ChangeMethod::Put => Method::Put,
            ChangeMethod::Delete => Method::Delete,
        };
        let (path, level) = (order.path.as_str(), LogLevel::Info);
        let body = (!order.body.is_empty()).then_some(&order.body[..]);
        let repeat = if method == Method::Get { RetryClass::ModelRequest } else { RetryClass::Change };
        let what = HttpRequest { method, body, level, ..HttpRequest::get(path, self.deadline, repeat) };
        let tried = self.tried(method, path);
        let mut attempts = Attempts::default();
        let failed = |error: Error, attempts: &Attempts| Err(error.with_attempts(attempts));
        match self.whole(&what, &mut attempts) {
            Ok(reply) if reply.is_success() => {
                let json = String::from_utf8(reply.body).map_err(|_| {
                    Error::new(
                        Status::BadResponse,
                        format!("{tried}: HTTP status {}, but the answer is not UTF-8", reply.status),
                    )
                })?;
                Ok(if matches!(change, Change::GetLimits(_)) { dialect.parse_limits(json) } else { json })
            }
            Ok(reply) => {
                let mut refusal = ErrorResponse::read(reply.status, &reply.body);
                // A server without the path cannot do what others can.
                if refusal.kind == ErrorKind::NoSuchPath {
                    refusal.kind = ErrorKind::Disabled;
                }
                let name = match change {
                    Change::GetLimits(name) | Change::SetLimits(name, _) | Change::DeleteRoute(name) => name,
                    Change::CreateRoute(_) => "",
                };
                failed(self.refused(&tried, reply, refusal, name, dialect), &attempts)
            }
            Err(SendError::Transport(failure)) => failed(self.failed(&tried, failure), &attempts),
            Err(SendError::Other(error)) => failed(error, &attempts),
        }
    }

    /// The one that the server speaks, whether or not it has the route of this handle.
    fn dialect(&self) -> Result<&'static dyn Dialect, Error> {
        match self.target.spoken.of(self.dialects()) {
            Some(dialect) => Ok(dialect),
            None if self.dialects().len() == 1 => Ok(self.dialects()[0]),
            None => self.list(self.dialects(), self.deadline, 1).map(|(dialect, _)| dialect),
        }
    }
}
