//! The options of the library: their values, their defaults, and the effect of setting one. Parameters of the model are
//! not options. `option_parser.rs` parses the values.

use std::sync::Arc;
use std::time::Duration;

use super::auth::Auth;
use super::error::{Error, Status};
use super::option_parser::{CallOption, HandleOption};
use super::retry::RetryOptions;
use crate::dialect::{Dialect, Task};
use crate::http::{ConnectSettings, Headers, KeepAlive, Limits, Timeouts, USER_AGENT};

#[derive(Debug, Clone)]
pub(super) struct Options {
    /// `None`: discovered from the server.
    pub dialect: Option<&'static dyn Dialect>,
    pub keep_alive: KeepAlive,
    pub connect: Arc<ConnectSettings>,
    pub auth: Auth,
    /// Sent in MLflow's workspace header.
    pub workspace: Option<String>,
    /// The program's part of the `User-Agent` header, sent before the library's.
    pub user_agent: Option<String>,
    pub call: CallOptions,
}

/// The options of one call, which a request may override.
#[derive(Debug, Clone, Copy)]
pub(super) struct CallOptions {
    /// Limits the whole call.
    pub timeout: Duration,
    /// Limits a call that sends nothing to a model, if the environment sets it; else `timeout` does.
    pub routes_timeout: Option<Duration>,
    /// Limit parts of a call.
    pub timeouts: Timeouts,
    /// Limits the time between two events of a stream.
    pub idle_timeout: Option<Duration>,
    /// Limits a stream, from its first event on, in place of `timeout`.
    pub stream_timeout: Duration,
    pub limits: Limits,
    /// The maximum size of the text and tool calls of a stream.
    pub max_gathered_bytes: usize,
    pub max_redirects: u32,
    pub retries: RetryOptions,
    /// The maximum size of one event of a stream.
    pub max_event_bytes: usize,
    /// Whether a stream keeps its text for the response.
    pub gather_stream: bool,
    /// Whether a response whose first candidate has no text is an error.
    pub require_text: bool,
    /// The maximum number of inputs in one embeddings request.
    pub embed_batch_size: usize,
    /// The maximum number of concurrent embeddings requests.
    pub embed_concurrency: usize,
    /// The task of a prompt if the server does not report the route's; `None`: the dialect's default.
    pub task: Option<Task>,
}

impl Default for Options {
    fn default() -> Options {
        Options::new(ConnectSettings::default())
    }
}

impl Default for CallOptions {
    fn default() -> CallOptions {
        CallOptions {
            // The default of MLflow's own gateway client.
            timeout: Duration::from_secs(300),
            routes_timeout: None,
            timeouts: Timeouts { connect: Some(Duration::from_secs(10)), first_byte: None },
            idle_timeout: Some(Duration::from_secs(120)),
            stream_timeout: Duration::from_secs(3600),
            limits: Limits { head: 16 * 1024, body: 256 * 1024 * 1024 },
            max_gathered_bytes: 256 * 1024 * 1024,
            max_redirects: 0,
            retries: RetryOptions::default(),
            max_event_bytes: 16 * 1024 * 1024,
            gather_stream: true,
            require_text: false,
            // The default of LangChain's MlflowEmbeddings.
            embed_batch_size: 20,
            embed_concurrency: 1,
            task: None,
        }
    }
}

impl CallOptions {
    pub fn set(&mut self, option: CallOption) {
        match option {
            CallOption::Timeout(timeout) => {
                self.timeout = timeout;
                self.routes_timeout = None;
            }
            CallOption::ConnectTimeout(timeout) => self.timeouts.connect = timeout,
            CallOption::FirstByteTimeout(timeout) => self.timeouts.first_byte = timeout,
            CallOption::IdleTimeout(timeout) => self.idle_timeout = timeout,
            CallOption::StreamTimeout(timeout) => self.stream_timeout = timeout,
            CallOption::MaxRetries(max) => self.retries.max = Some(max),
            CallOption::RetryBackoff(first) => self.retries.backoff = first,
            CallOption::RetryMaxBackoff(max) => self.retries.max_backoff = max,
            CallOption::RetryReadTimeouts(retries) => self.retries.read_timeouts = retries,
            CallOption::RetryPolicy(policy) => self.retries.policy = policy,
            CallOption::MaxResponseBytes(max) => self.limits.body = max,
            CallOption::MaxHeaderBytes(max) => self.limits.head = max,
            CallOption::MaxGatheredBytes(max) => self.max_gathered_bytes = max,
            CallOption::MaxRedirects(max) => self.max_redirects = max,
            CallOption::MaxEventBytes(max) => self.max_event_bytes = max,
            CallOption::GatherStream(gathers) => self.gather_stream = gathers,
            CallOption::RequireText(requires) => self.require_text = requires,
            CallOption::EmbedBatchSize(max) => self.embed_batch_size = max,
            CallOption::EmbedConcurrency(max) => self.embed_concurrency = max,
            CallOption::Task(task) => self.task = task,
        }
    }
}

impl Options {
    /// The defaults, with these proxy and TLS settings.
    pub fn new(connect: ConnectSettings) -> Options {
        Options {
            dialect: None,
            // Servers close idle connections as well, often sooner.
            keep_alive: KeepAlive { max_connections: 64, max_idle: Duration::from_secs(60) },
            connect: Arc::new(connect),
            auth: Auth::default(),
            workspace: None,
            user_agent: None,
            call: CallOptions::default(),
        }
    }

    /// Marks the current values as found in the environment: values set later take precedence over all of them.
    pub fn mark_as_default(&mut self) {
        self.connect = Arc::new(self.connect.as_default());
        self.auth.mark_as_default();
    }

    pub fn set(&mut self, option: HandleOption) -> Result<(), Error> {
        match option {
            HandleOption::Dialect(dialect) => self.dialect = dialect,
            HandleOption::MaxConnections(max) => self.keep_alive.max_connections = max,
            HandleOption::KeepAlive(max) => self.keep_alive.max_idle = max,
            HandleOption::Call(option) => self.call.set(option),
            HandleOption::Connect(setting) => {
                let invalid = |problem| Error::new(Status::InvalidOptionValue, problem);
                self.connect = Arc::new(self.connect.with(setting).map_err(invalid)?);
            }
            HandleOption::Credential(part, secret) => self.auth.set(part, secret),
            HandleOption::AuthHeader(header) => self.auth.header = header,
            HandleOption::AllowInsecureAuth(allow) => self.auth.allow_insecure = allow,
            HandleOption::Workspace(workspace) => self.workspace = workspace,
            HandleOption::UserAgent(program) => self.user_agent = program,
        }
        Ok(())
    }

    /// Returns the headers of every request: `headers`, and those that options add.
    pub fn request_headers(&self, headers: &Headers) -> Headers {
        let mut all = headers.clone();
        if let Some(workspace) = &self.workspace {
            all = all.or_plain("x-mlflow-workspace", workspace);
        }
        if let Some(program) = &self.user_agent {
            all = all.or_plain("user-agent", &format!("{program} {USER_AGENT}"));
        }
        self.connect.secrets().iter().for_each(|secret| all.mask(secret));
        self.auth.add_to(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsed_values_replace_the_defaults() {
        let mut options = Options::default();
        assert_eq!(options.call.timeout, Duration::from_secs(300));
        for (value, ms) in [("1", 1), ("5000", 5000), ("86400000", 86_400_000)] {
            options.set(HandleOption::parse("timeout_ms", value).unwrap()).unwrap();
            assert_eq!(options.call.timeout, Duration::from_millis(ms));
        }
        options.set(HandleOption::parse("dialect", "gateway").unwrap()).unwrap();
        assert_eq!(options.dialect.unwrap().name(), "gateway");
        options.set(HandleOption::parse("dialect", "auto").unwrap()).unwrap();
        assert!(options.dialect.is_none());
    }
}
