//! Access tokens of an OAuth client, from the token endpoint of the gateway's own server.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::attempts::Attempts;
use super::auth::OAuthClient;
use super::context::CallContext;
use super::error::Error;
use super::exchange::follow_redirects;
use super::http_request::{Destination, HttpRequest, SendError};
use super::report::{self, ErrorContext};
use super::retry::RetryClass;
use super::token_cache::Token;
use crate::dialect::{ErrorResponse, METADATA_PATH, TOKEN_REQUEST_BODY, parse_token, parse_token_endpoint};
use crate::http::{ContentType, GatewayUri, Headers, Limit, Method, Phase, Reply, Secret, TransportError, check_value};
use crate::sync::WaitError;

/// Returns the client's token. Fetching one may take all the time of the call, even for a lookup with a shorter limit.
pub(super) fn access_token(context: &CallContext, client: OAuthClient) -> Result<Arc<Secret>, SendError> {
    let tokens = &context.settings.options().auth.tokens;
    match tokens.get(context.deadline, &context.cancel, || fetch_token(context, client)) {
        Ok(token) => token.map_err(SendError::Authentication),
        Err(WaitError::DeadlineExpired) => Err(TransportError::Timeout(Limit::Total, Phase::Share).into()),
        Err(WaitError::Cancelled) => Err(TransportError::Cancelled(Phase::Share).into()),
    }
}

fn fetch_token(context: &CallContext, client: OAuthClient) -> Result<Token, Error> {
    let issuer = Issuer { context, root: context.target.uri.root() };
    let metadata = issuer.send(Method::Get, METADATA_PATH, &Headers::default(), None)?;
    let error_context = issuer.error_context(Method::Get, METADATA_PATH);
    let endpoint = parse_token_endpoint(&metadata.body)
        .ok_or_else(|| report::no_token(&error_context, (&metadata).into(), "token_endpoint is missing"))?;
    // Only the gateway's own server may see the client's secret.
    let path = issuer.root.path_of_same_server(&endpoint).ok_or_else(|| {
        let why = "token_endpoint is on another server, to which client_secret is not sent";
        report::no_token(&error_context, (&metadata).into(), why)
    })?;
    let basic = Secret::basic(client.id.expose(), client.secret.expose());
    let headers = Headers::default().or_secret("authorization", &basic);
    let mut reply = issuer.send(Method::Post, &path, &headers, Some(TOKEN_REQUEST_BODY))?;
    let body = Zeroizing::new(std::mem::take(&mut reply.body));
    let error_context = issuer.error_context(Method::Post, &path);
    let (token, seconds) = parse_token(&body)
        .ok_or_else(|| report::no_token(&error_context, (&reply).into(), "access_token is missing"))?;
    let secret = Secret::from(token);
    check_value("access_token", secret.expose())
        .map_err(|problem| report::no_token(&error_context, (&reply).into(), &problem.0))?;
    Ok(Token { secret, lifetime: Duration::from_secs(seconds) })
}

/// The server that issues tokens. Its paths begin at the root, not at the path of the gateway URI.
struct Issuer<'a> {
    context: &'a CallContext<'a>,
    root: GatewayUri,
}

impl Issuer<'_> {
    fn send(&self, method: Method, path: &str, headers: &Headers, body: Option<&[u8]>) -> Result<Reply, Error> {
        let lookup = HttpRequest::get(path, self.context.deadline, RetryClass::ModelRequest);
        let request = HttpRequest { method, body, ..lookup };
        let to = Destination { uri: &self.root, headers, content: ContentType::Form };
        let response = follow_redirects(self.context, &request, to, &mut Attempts::default());
        let error_context = self.error_context(method, path);
        match response.and_then(|response| response.whole(&self.context.deadline(self.context.deadline))) {
            Ok(reply) if reply.is_success() => Ok(reply),
            Ok(reply) => {
                let response = ErrorResponse::read(reply.status, &reply.body);
                Err(report::token_request_rejected(&error_context, reply, response))
            }
            Err(error) => Err(self.context.transport_error(&error_context, error)),
        }
    }

    fn error_context<'a>(&'a self, method: Method<'a>, path: &'a str) -> ErrorContext<'a> {
        ErrorContext { uri: &self.root, ..self.context.error_context(method, path) }
    }
}
