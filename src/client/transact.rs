//! Each exchange with the server: who we are, a line in the log, and another token where one is over.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::call::Call;
use super::error::{Error, Status};
use super::log::LogLevel;
use super::report::{self, Tried};
use crate::dialect::Refusal;
use crate::http::{Content, Exchange, Failure, GatewayUri, Headers, Method, Opened, Reply};

/// What to send.
pub(super) struct What<'a> {
    pub method: Method,
    pub path: &'a str,
    pub body: &'a [u8],
    pub deadline: Instant,
    /// Of its line in the log.
    pub level: LogLevel,
    /// Why the same is asked again.
    pub again: Option<&'static str>,
    /// Whether an answer in events is to be read as they come.
    pub wants_events: bool,
}

impl<'a> What<'a> {
    /// To ask for what the server says of itself.
    pub fn get(path: &'a str, deadline: Instant) -> What<'a> {
        let (method, level) = (Method::Get, LogLevel::Debug);
        What { method, path, body: b"", deadline, level, again: None, wants_events: false }
    }
}

/// Why there is no answer.
pub(super) enum Trouble {
    /// On the way.
    Failure(Failure),
    /// Before that.
    Error(Error),
}

impl Call<'_> {
    /// Asks for what the server says of itself. Any status is an answer.
    pub fn get(&self, path: &str, deadline: Instant) -> Result<Reply, Trouble> {
        self.whole(&What::get(path, deadline), &mut 0)
    }

    /// Sends and reads the whole answer. Any status is an answer.
    pub fn whole(&self, what: &What, attempts: &mut u32) -> Result<Reply, Trouble> {
        self.transact(what, attempts)?.whole().map_err(Trouble::Failure)
    }

    /// Sends, with what says who the client is. `attempts` is raised by how often any of it may have reached the server.
    pub fn transact(&self, what: &What, attempts: &mut u32) -> Result<Opened, Trouble> {
        let auth = &self.settings().options().auth;
        let client = auth.client(self.headers());
        if client.is_some() || self.headers().has_credentials() {
            self.check_way().map_err(Trouble::Error)?;
        }
        let Some(client) = client else {
            return self.attempt_once(what, &self.target.uri, self.headers(), Content::Json, attempts);
        };
        let token = self.token(client)?;
        let with_token = auth.add_token(self.headers(), &token);
        let first = self.attempt_once(what, &self.target.uri, &with_token, Content::Json, attempts)?;
        match &first {
            Opened::Whole(reply) if !reply.is_success() && Refusal::read(reply.status, &reply.body).is_token_over => {}
            _ => return Ok(first),
        }
        // Once is enough: a server that refuses a new token refuses the next one, too.
        if self.has_refreshed.swap(true, Ordering::Relaxed) {
            return Ok(first);
        }
        auth.tokens.reject(&token);
        let token = self.token(client)?;
        let with_token = auth.add_token(self.headers(), &token);
        let what = What { again: Some("the token was over"), ..*what };
        self.attempt_once(&what, &self.target.uri, &with_token, Content::Json, attempts)
    }

    /// Whether credentials can be sent without that others read them.
    fn check_way(&self) -> Result<(), Error> {
        let options = self.settings().options();
        if options.auth.allow_insecure || !options.way.is_open_to_others(&self.target.uri) {
            return Ok(());
        }
        let uri = &self.target.uri;
        let problem = format!(
            "credentials would go to {uri} unencrypted; use an https:// URI, or set the option allow_insecure_auth to true"
        );
        Err(Error::new(Status::InsecureAuth, problem))
    }

    pub fn attempt_once(
        &self,
        what: &What,
        uri: &GatewayUri,
        headers: &Headers,
        content: Content,
        attempts: &mut u32,
    ) -> Result<Opened, Trouble> {
        let options = self.settings().options();
        let began = Instant::now();
        let outcome = self.target.agent.exchange(&Exchange {
            method: what.method,
            uri,
            path: what.path,
            headers,
            content,
            body: what.body,
            deadline: what.deadline,
            way: &options.way,
            max_connections: options.max_connections,
            wants_events: what.wants_events,
        });
        let came = match &outcome {
            Ok(Opened::Stream(incoming)) => Ok(incoming.status()),
            Ok(Opened::Whole(reply)) => Ok(reply.status),
            Err(failure) => Err(failure),
        };
        *attempts += u32::from(came.err().is_none_or(Failure::is_after_sending));
        let level = match came {
            // Nothing else will work either, whatever this was asked for.
            Err(failure) if !failure.is_after_sending() => LogLevel::Error,
            Ok(200..=299) => what.level,
            _ if what.level == LogLevel::Info => LogLevel::Error,
            _ => what.level,
        };
        if self.logger.wants(level) {
            let tried = Tried { uri, ..self.tried(what.method, what.path) };
            let came = came.map_err(|failure| report::failure(&tried, failure.clone(), self.options.timeout));
            self.logger.line(level, report::attempt(&tried, came, began.elapsed(), what.again));
        }
        outcome.map_err(Trouble::Failure)
    }
}
