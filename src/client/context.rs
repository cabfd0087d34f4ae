//! What one call works with from its start to its end: the target, the settings, the deadline. It sends nothing itself.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::error::Error;
use super::http_request::SendError;
use super::log::Logger;
use super::options::CallOptions;
use super::report::{self, ErrorContext, Secrets};
use super::request::RequestParts;
use super::settings::Settings;
use super::target::Target;
use crate::dialect::{self, Dialect, Params};
use crate::http::{Deadline, Headers, Limit, Method, Secret, TransportError};
use crate::sync::CancelTokens;

/// One call: its deadline covers everything that it sends, and it uses the settings of the moment when it began.
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
        let cancel = CancelTokens::of([settings.token.as_ref(), request.and_then(|request| request.token.as_ref())]);
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
            has_refreshed_token: AtomicBool::new(false),
            started,
            deadline: started + options.timeout,
        }
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

    /// Masks these secrets, too, if the server repeats them.
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
