//! One exchange: a request out, an answer in, before a deadline.

use std::io::Read;
use std::time::{Duration, Instant, SystemTime};

use ureq::http::{HeaderMap, Request, header};
use ureq::tls::{RootCerts, TlsConfig};

use super::connect::PhasedConnector;
use super::failure::{Failure, Phase};
use super::headers::Headers;
use super::resolve::CachingResolver;

/// The longest answer that is read; an answer is text or vectors, so a longer one is a fault.
const MAX_ANSWER: usize = 256 * 1024 * 1024;

/// As much of a refusal as is kept.
const MAX_REFUSAL: usize = 64 * 1024;

/// As many connections as wait for the next call; more are opened when needed, and closed after it.
const IDLE_CONNECTIONS: usize = 64;

const IDLE_AGE: Duration = Duration::from_secs(60);

/// The part that keeps connections between calls. Any number of threads may use it at once.
#[derive(Debug)]
pub struct Agent(ureq::Agent);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }
}

/// What to ask. A `Post` has a JSON body.
pub struct Exchange<'a> {
    pub method: Method,
    pub url: &'a str,
    pub headers: &'a Headers,
    pub body: &'a [u8],
    pub deadline: Instant,
}

/// What came back: any status, the success and the refusal alike.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    /// Of a refusal, the first 64 KiB; else the whole.
    pub body: Vec<u8>,
    /// How long the server asks to wait before the next attempt.
    pub retry_after: Option<Duration>,
    /// Where a redirect points to, without its query.
    pub location: Option<String>,
}

impl Agent {
    /// Reads the `*_PROXY` and `NO_PROXY` environment variables.
    pub fn new() -> Agent {
        let config = ureq::config::Config::builder()
            .http_status_as_error(false)
            // A redirected POST turns into a GET without a body: better to say where the gateway has moved to.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("mlflow-ai-gateway/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .max_idle_connections(IDLE_CONNECTIONS)
            .max_idle_connections_per_host(IDLE_CONNECTIONS)
            .max_idle_age(IDLE_AGE)
            .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
            .build();
        Agent(ureq::Agent::with_parts(config, PhasedConnector::default(), CachingResolver::default()))
    }

    pub fn exchange(&self, exchange: &Exchange) -> Result<Reply, Failure> {
        let left = exchange.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Failure::Timeout(Phase::Exchange));
        }
        let mut request = Request::builder().method(exchange.method.as_str()).uri(exchange.url);
        for (name, value) in exchange.headers.iter() {
            request = request.header(name, value);
        }
        let of = |error| Failure::of(error, Phase::Exchange);
        let response = match exchange.method {
            Method::Get => {
                let request = request.body(()).map_err(|error| of(error.into()))?;
                self.0.run(self.0.configure_request(request).timeout_global(Some(left)).build())
            }
            Method::Post => {
                let request = request
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(exchange.body)
                    .map_err(|error| of(error.into()))?;
                self.0.run(self.0.configure_request(request).timeout_global(Some(left)).build())
            }
        }
        .map_err(of)?;

        let (head, body) = response.into_parts();
        let status = head.status.as_u16();
        let mut reply = Reply {
            status,
            body: Vec::new(),
            retry_after: retry_after(&head.headers),
            location: location(&head.headers),
        };
        let limit = if reply.is_success() { MAX_ANSWER } else { MAX_REFUSAL };
        let read = body.into_reader().take(limit as u64 + 1).read_to_end(&mut reply.body);
        if !reply.is_success() {
            // Its status says enough, whatever became of the rest of its text.
            reply.body.truncate(limit);
            return Ok(reply);
        }
        read.map_err(|error| of(error.into()))?;
        if reply.body.len() > limit {
            return Err(Failure::TooLarge(limit));
        }
        Ok(reply)
    }
}

impl Reply {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// `Retry-After` in either of its forms (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    match value.parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => {
            let at = httpdate::parse_http_date(value).ok()?;
            Some(at.duration_since(SystemTime::now()).unwrap_or_default())
        }
    }
}

fn location(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::LOCATION)?.to_str().ok()?;
    Some(value.split(['?', '#']).next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_retry_after_as_seconds_and_as_a_date() {
        let wait = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(wait("120"), Some(Duration::from_secs(120)));
        assert_eq!(wait("0"), Some(Duration::ZERO));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(60));
        assert!(wait(&soon).is_some_and(|wait| (55..=60).contains(&wait.as_secs())));
        assert_eq!(wait("-1"), None);
        assert_eq!(wait("soon"), None);
    }
}
