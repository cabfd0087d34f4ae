//! Each exchange with the server: who we are, a line in the log, and another token where one is over.

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::call::Call;
use super::error::{Error, Status};
use super::log::LogLevel;
use super::report::{self, ErrorContext};
use super::retry::{Attempts, RetryClass, RetryPolicy};
use crate::dialect::ErrorResponse;
use crate::http::{ContentType, Exchange, GatewayUri, Headers, HttpResponse, Method, Phase, Reply, TransportError};
use crate::sync;

/// As many bytes a server may say of itself.
const MAX_TOLD: usize = 16 * 1024 * 1024;

/// What to send.
pub(super) struct HttpRequest<'a> {
    pub method: Method<'a>,
    pub path: &'a str,
    /// What is shown instead, where a part of the path may be a secret.
    pub shown: Option<&'a str>,
    /// `None` of a request that has none.
    pub body: Option<&'a [u8]>,
    pub deadline: Instant,
    /// Of its line in the log.
    pub level: LogLevel,
    /// Why the same is asked again.
    pub again: Option<&'a str>,
    pub repeat: RetryClass,
    /// The longest body of a response, if that is less than the options allow.
    pub max_body: usize,
    /// Whether an answer in events is to be read as they come.
    pub wants_events: bool,
}

impl<'a> HttpRequest<'a> {
    /// To ask for what the server says of itself.
    pub fn get(path: &'a str, deadline: Instant, repeat: RetryClass) -> HttpRequest<'a> {
        let (method, level) = (Method::Get, LogLevel::Debug);
        let (body, max_body) = (None, MAX_TOLD);
        HttpRequest {
            method,
            path,
            shown: None,
            body,
            deadline,
            level,
            again: None,
            repeat,
            max_body,
            wants_events: false,
        }
    }
}

/// Whom to ask, and as whom.
#[derive(Clone, Copy)]
pub(super) struct Destination<'a> {
    pub uri: &'a GatewayUri,
    pub headers: &'a Headers,
    pub content: ContentType,
}

/// Why there is no answer.
pub(super) enum SendError {
    /// On the way.
    Transport(TransportError),
    /// Before that.
    Other(Error),
}

impl Call<'_> {
    /// Asks for what the server says of itself. Any status is an answer.
    pub fn get(&self, path: &str, deadline: Instant, repeat: RetryClass) -> Result<Reply, SendError> {
        self.whole(&HttpRequest::get(path, deadline, repeat), &mut Attempts::default())
    }

    /// Sends and reads the whole answer. Any status is an answer.
    pub fn whole(&self, what: &HttpRequest, attempts: &mut Attempts) -> Result<Reply, SendError> {
        self.transact(what, attempts)?.whole(&self.deadline(what.deadline)).map_err(SendError::Transport)
    }

    /// Sends, with what says who the client is, and notes how often.
    pub fn transact(&self, what: &HttpRequest, attempts: &mut Attempts) -> Result<HttpResponse, SendError> {
        let auth = &self.settings().options().auth;
        let client = auth.oauth_client(self.headers());
        if client.is_some() || self.headers().has_credentials() {
            self.check_way().map_err(SendError::Other)?;
        }
        let gateway = |headers| Destination { uri: &self.target.uri, headers, content: ContentType::Json };
        let Some(client) = client else {
            return self.attempt(what, gateway(self.headers()), attempts).map_err(SendError::Transport);
        };
        let token = self.oauth_token(client)?;
        let with_token = auth.add_token(self.headers(), &token);
        let first = self.attempt(what, gateway(&with_token), attempts).map_err(SendError::Transport)?;
        match &first {
            HttpResponse::Whole(reply)
                if !reply.is_success() && ErrorResponse::read(reply.status, &reply.body).is_token_expired => {}
            _ => return Ok(first),
        }
        // Once is enough: a server that refuses a new token refuses the next one, too.
        if self.has_refreshed.swap(true, Ordering::Relaxed) {
            return Ok(first);
        }
        auth.tokens.reject(&token);
        let token = self.oauth_token(client)?;
        let with_token = auth.add_token(self.headers(), &token);
        let why = "the token was over";
        attempts.reasons.push(why.to_owned());
        let what = HttpRequest { again: Some(why), ..*what };
        self.attempt(&what, gateway(&with_token), attempts).map_err(SendError::Transport)
    }

    /// Whether credentials can be sent without that others read them.
    fn check_way(&self) -> Result<(), Error> {
        let options = self.settings().options();
        if options.auth.allow_insecure || !options.connect.sends_in_clear(&self.target.uri) {
            return Ok(());
        }
        let uri = &self.target.uri;
        let problem = format!(
            "credentials would go to {uri} unencrypted; use an https:// URI, or set the option allow_insecure_auth to true"
        );
        Err(Error::new(Status::InsecureAuth, problem))
    }

    /// Sends, and again where that may help, and to where the server says that it is to be sent.
    pub fn attempt(
        &self,
        what: &HttpRequest,
        to: Destination,
        attempts: &mut Attempts,
    ) -> Result<HttpResponse, TransportError> {
        let mut outcome = self.attempt_in_time(what, to, attempts);
        for _ in 0..self.options.max_redirects {
            let Some(path) = self.redirected(what.method, &outcome) else { break };
            let why = "the server sent it on";
            attempts.reasons.push(why.to_owned());
            let shown = path.split(['?', '#']).next();
            let what = HttpRequest { path: &path, shown, again: Some(why), ..*what };
            outcome = self.attempt_in_time(&what, Destination { uri: &to.uri.root(), ..to }, attempts);
        }
        outcome
    }

    /// Where on the same server to ask instead: what is sent with a question is for nobody else.
    fn redirected(&self, method: Method, outcome: &Result<HttpResponse, TransportError>) -> Option<String> {
        let Ok(HttpResponse::Whole(reply)) = outcome else { return None };
        let is_meant = matches!(reply.status, 307 | 308)
            || matches!(reply.status, 301 | 302) && matches!(method, Method::Get | Method::Head);
        self.target.uri.path_of_same_server(reply.location.as_ref().filter(|_| is_meant)?)
    }

    /// Sends, and again after a while where that may help.
    fn attempt_in_time(
        &self,
        what: &HttpRequest,
        to: Destination,
        attempts: &mut Attempts,
    ) -> Result<HttpResponse, TransportError> {
        let retries_before = attempts.retries;
        let mut outcome = self.attempt_once(what, to, attempts);
        // To MLflow's client what an idle connection loses is a failure as any other, which it retries at once.
        let is_first_retry_made =
            self.options.retries.policy == RetryPolicy::Mlflow && attempts.retries > retries_before;
        for retried in u32::from(is_first_retry_made).. {
            let Some(wait) = self.options.retries.wait(what.repeat, retried, &outcome) else { break };
            let Some(until) = Instant::now().checked_add(wait).filter(|until| *until < what.deadline) else { break };
            let why = match &outcome {
                Ok(opened) => format!("HTTP status {}", opened.status()),
                Err(failure) => report::reason(&self.tried_at(what, to), failure, &self.options),
            };
            // Of what others wait for, they are told later.
            if what.level == LogLevel::Info {
                self.logger.flush();
            }
            sync::sleep(until, &self.cancel).map_err(|_| TransportError::Cancelled(Phase::Backoff))?;
            outcome = self.attempt_once(&HttpRequest { again: Some(&why), ..*what }, to, attempts);
            attempts.reasons.push(why);
            attempts.retries += 1;
        }
        outcome
    }

    fn tried_at<'b>(&'b self, what: &HttpRequest<'b>, to: Destination<'b>) -> ErrorContext<'b> {
        ErrorContext { uri: to.uri, ..self.tried(what.method, what.shown.unwrap_or(what.path)) }
    }

    /// Sends, and at once again on a new connection what an idle one has lost. A change is not sent on an idle one: it
    /// must not be made twice.
    fn attempt_once(
        &self,
        what: &HttpRequest,
        to: Destination,
        attempts: &mut Attempts,
    ) -> Result<HttpResponse, TransportError> {
        match self.exchange(what, to, what.repeat != RetryClass::Change, attempts) {
            Err(failure @ TransportError::LostIdle(_)) if Instant::now() < what.deadline => {
                let why = report::reason(&self.tried_at(what, to), &failure, &self.options);
                let outcome = self.exchange(&HttpRequest { again: Some(&why), ..*what }, to, false, attempts);
                attempts.reasons.push(why);
                attempts.retries += 1;
                outcome
            }
            outcome => outcome,
        }
    }

    fn exchange(
        &self,
        what: &HttpRequest,
        to: Destination,
        may_reuse: bool,
        attempts: &mut Attempts,
    ) -> Result<HttpResponse, TransportError> {
        let options = self.settings().options();
        let began = Instant::now();
        let mut limits = self.options.limits;
        limits.body = limits.body.min(what.max_body);
        let outcome = self.target.agent.exchange(&Exchange {
            method: what.method,
            uri: to.uri,
            path: what.path,
            headers: to.headers,
            content: to.content,
            body: what.body,
            deadline: self.deadline(what.deadline),
            timeouts: self.options.timeouts,
            limits,
            connect_settings: &options.connect,
            keep_alive: options.keep_alive,
            may_reuse,
            wants_events: what.wants_events,
        });
        let came = outcome.as_ref().map(HttpResponse::status);
        attempts.sent += u32::from(came.err().is_none_or(TransportError::is_after_sending));
        let level = match came {
            // Nothing else will work either, whatever this was asked for.
            Err(failure) if !failure.is_after_sending() => LogLevel::Error,
            Ok(200..=299) => what.level,
            _ if what.level == LogLevel::Info => LogLevel::Error,
            _ => what.level,
        };
        if self.logger.wants(level) {
            let tried = self.tried_at(what, to);
            let came = came.map_err(|failure| report::failure(&tried, failure.clone(), &self.options));
            self.logger.line(level, report::attempt(&tried, came, began.elapsed(), what.again));
        }
        outcome
    }
}
