//! Tokens of an OAuth client, from the server that gives them out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::auth::OAuthClient;
use super::call::Call;
use super::error::Error;
use super::http_request::{Destination, HttpRequest, SendError};
use super::report::{self, ErrorContext};
use super::retry::{Attempts, RetryClass};
use super::token_cache::Token;
use crate::dialect::{ErrorResponse, METADATA_PATH, TOKEN_REQUEST_BODY, parse_token, parse_token_endpoint};
use crate::http::{ContentType, GatewayUri, Headers, Limit, Method, Phase, Reply, Secret, TransportError, check_value};
use crate::sync::WaitError;

impl Call<'_> {
    /// The client's token, for which there is all the time of the call, whatever it is for.
    pub fn oauth_token(&self, client: OAuthClient) -> Result<Arc<Secret>, SendError> {
        let (tokens, deadline) = (&self.settings().options().auth.tokens, self.deadline);
        let got = tokens.get(deadline, &self.cancel, || self.fetch_token(client, deadline));
        match got {
            Ok(token) => token.map_err(SendError::Other),
            Err(WaitError::DeadlineExpired) => {
                Err(SendError::Transport(TransportError::Timeout(Limit::Total, Phase::Share)))
            }
            Err(WaitError::Cancelled) => Err(SendError::Transport(TransportError::Cancelled(Phase::Share))),
        }
    }

    fn fetch_token(&self, client: OAuthClient, deadline: Instant) -> Result<Token, Error> {
        let root = self.target.uri.root();
        let tried = |method, path| ErrorContext { uri: &root, ..self.tried(method, path) };
        let metadata = self.ask_issuer(&root, Method::Get, METADATA_PATH, &Headers::default(), None, deadline)?;
        let place = tried(Method::Get, METADATA_PATH);
        let endpoint = parse_token_endpoint(&metadata.body)
            .ok_or_else(|| report::no_token(&place, (&metadata).into(), "it names no token_endpoint"))?;
        // The secret is for this server alone.
        let path = root.path_of_same_server(&endpoint).ok_or_else(|| {
            let why = "its token_endpoint is on another server, to which client_secret is not sent";
            report::no_token(&place, (&metadata).into(), why)
        })?;
        let basic = Secret::basic(client.id.expose(), client.secret.expose());
        let headers = Headers::default().or_secret("authorization", &basic);
        let mut reply = self.ask_issuer(&root, Method::Post, &path, &headers, Some(TOKEN_REQUEST_BODY), deadline)?;
        let body = Zeroizing::new(std::mem::take(&mut reply.body));
        let place = tried(Method::Post, &path);
        let (token, seconds) =
            parse_token(&body).ok_or_else(|| report::no_token(&place, (&reply).into(), "it holds no access_token"))?;
        let secret = Secret::from(token);
        check_value("access_token", secret.expose())
            .map_err(|problem| report::no_token(&place, (&reply).into(), &problem.0))?;
        Ok(Token { secret, lifetime: Duration::from_secs(seconds) })
    }

    fn ask_issuer(
        &self,
        root: &GatewayUri,
        method: Method,
        path: &str,
        headers: &Headers,
        body: Option<&[u8]>,
        deadline: Instant,
    ) -> Result<Reply, Error> {
        let what = HttpRequest { method, body, ..HttpRequest::get(path, deadline, RetryClass::ModelRequest) };
        let tried = ErrorContext { uri: root, ..self.tried(method, path) };
        let to = Destination { uri: root, headers, content: ContentType::Form };
        match self
            .attempt(&what, to, &mut Attempts::default())
            .and_then(|response| response.whole(&self.deadline(deadline)))
        {
            Ok(reply) if reply.is_success() => Ok(reply),
            Ok(reply) => {
                let refusal = ErrorResponse::read(reply.status, &reply.body);
                Err(report::client_refused(&tried, reply, refusal))
            }
            Err(failure) => Err(self.failed(&tried, failure)),
        }
    }
}
