//! The context of one call: its target, settings, deadline and cancel tokens. Sends nothing.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::error::Error;
use super::http_request::SendError;
use super::log::{LogRelay, Logger};
use super::options::CallOptions;
use super::pacing::Pacing;
use super::report::{self, ErrorContext, Secrets};
use super::request::RequestParts;
use super::settings::Settings;
use super::target::Target;
use crate::dialect::{self, Dialect, Params};
use crate::http::{Deadline, Headers, Limit, Method, Secret, TransportError};
use crate::sync::{CancelToken, CancelTokens};

/// What a queue adds to the calls that it makes.
pub(super) struct QueueContext<'a> {
    /// Cancels the call in addition to the tokens of the handle and the request.
    pub token: &'a Arc<CancelToken>,
    pub pacing: &'a dyn Pacing,
    /// Takes the log lines, because no callback may run on a thread of the queue.
    pub log_relay: &'a LogRelay,
}

/// One call. Its deadline covers everything that it sends. It uses the settings at its start.
pub(super) struct CallContext<'a> {
    pub target: &'a Arc<Target>,
    pub settings: Arc<Settings>,
    /// The handle's and the request's together; `None`: those of the settings.
    params: Option<Params>,
    /// The handle's and the request's together; `None`: those of the settings.
    headers: Option<Headers>,
    pub options: CallOptions,
    /// The handle's and the request's.
    pub cancel: CancelTokens,
    pub logger: Logger,
    /// Set if the call is a queue's.
    pub pacing: Option<&'a dyn Pacing>,
    /// Whether the server rejected an access token and the call fetched another one.
    pub has_refreshed_token: AtomicBool,
    pub started: Instant,
    pub deadline: Instant,
}

impl<'a> CallContext<'a> {
    /// Begins a call. The options, parameters and headers of the request take precedence over the settings.
    pub fn new(target: &'a Arc<Target>, settings: Arc<Settings>, request: Option<&RequestParts>) -> CallContext<'a> {
        let mut options = settings.options().call;
        let (mut params, mut headers) = (None, None);
        if let Some(request) = request {
            request.options.iter().for_each(|setting| options.set(*setting));
            params = (!request.params.is_empty()).then(|| settings.params.merged_with(&request.params));
            headers = (!request.headers.is_empty()).then(|| settings.request_headers().with(&request.headers));
        }
        let cancel = CancelTokens::new(settings.token.as_ref(), request.and_then(|request| request.token.as_ref()));
        let logger = Logger::new(settings.log.clone());
        let started = Instant::now();
        CallContext {
            target,
            settings,
            params,
            headers,
            options,
            cancel,
            logger,
            pacing: None,
            has_refreshed_token: AtomicBool::new(false),
            started,
            deadline: started + options.timeout,
        }
    }

    /// Makes it a call of a queue.
    pub fn set_queue(&mut self, queue: &QueueContext<'a>) {
        self.cancel = std::mem::take(&mut self.cancel).with_queue(queue.token);
        self.pacing = Some(queue.pacing);
        self.logger.set_relay(queue.log_relay);
    }

    pub fn set_timeout(&mut self, timeout: Duration) {
        self.options.timeout = timeout;
        self.deadline = self.started + timeout;
    }

    /// Returns the deadline of an exchange, which may end before the call.
    pub fn deadline(&self, end: Instant) -> Deadline<'_> {
        let limit = if end < self.deadline { Limit::Discovery } else { Limit::Total };
        Deadline::new(end, limit, &self.cancel)
    }

    pub fn params(&self) -> &Params {
        self.params.as_ref().unwrap_or(&self.settings.params)
    }

    pub fn headers(&self) -> &Headers {
        self.headers.as_ref().unwrap_or_else(|| self.settings.request_headers())
    }

    /// Whether the request adds headers to those of the settings.
    pub fn has_own_headers(&self) -> bool {
        self.headers.is_some()
    }

    /// Also masks these secrets in messages.
    pub fn mask(&mut self, secrets: impl Iterator<Item = Secret>) {
        let mut headers = self.headers().clone();
        secrets.for_each(|secret| headers.mask(&secret));
        self.headers = Some(headers);
    }

    /// The dialects that the server may have, the most likely first.
    pub fn dialects(&self) -> &[&'static dyn Dialect] {
        match &self.settings.options().dialect {
            Some(forced) => std::slice::from_ref(forced),
            None => &dialect::DISCOVERED,
        }
    }

    pub fn has_forced_dialect(&self) -> bool {
        self.settings.options().dialect.is_some()
    }

    pub fn error_context<'b>(&'b self, method: Method<'b>, path: &'b str) -> ErrorContext<'b> {
        ErrorContext {
            method,
            uri: &self.target.uri,
            path,
            secrets: Secrets { headers: self.headers(), auth: &self.settings.options().auth },
        }
    }

    pub fn send_error(&self, context: &ErrorContext, error: SendError) -> Error {
        match error {
            SendError::Transport(error) => self.transport_error(context, error),
            SendError::Authentication(error) => error,
        }
    }

    pub fn transport_error(&self, context: &ErrorContext, error: TransportError) -> Error {
        report::transport_error(context, error, &self.options)
    }
}
