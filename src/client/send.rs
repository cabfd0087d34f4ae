//! Sends a request of a call: authenticates it, follows redirects, retries, sends it once.

use std::sync::atomic::Ordering;

use super::attempts::Attempts;
use super::auth::OAuthClient;
use super::context::CallContext;
use super::error::{Error, Status};
use super::exchange::follow_redirects;
use super::http_request::{Destination, HttpRequest, SendError};
use super::oauth;
use crate::dialect::ErrorResponse;
use crate::http::{ContentType, Headers, HttpResponse, Reply, Secret};

/// Sends a request with the credentials of the settings. Returns a response of any status.
pub(super) fn send(
    context: &CallContext,
    request: &HttpRequest,
    attempts: &mut Attempts,
) -> Result<HttpResponse, SendError> {
    let headers = context.headers();
    let client = context.settings.options().auth.oauth_client(headers);
    if client.is_some() || headers.has_credentials() {
        refuse_insecure(context).map_err(SendError::Authentication)?;
    }
    match client {
        Some(client) => send_with_token(context, request, client, attempts),
        None => Ok(follow_redirects(context, request, gateway(context, headers), attempts)?),
    }
}

/// As [`send`], and reads an event stream to its end.
pub(super) fn send_whole(
    context: &CallContext,
    request: &HttpRequest,
    attempts: &mut Attempts,
) -> Result<Reply, SendError> {
    Ok(send(context, request, attempts)?.whole(&context.deadline(request.deadline))?)
}

/// Sends a request with a token of the OAuth client. If the server rejects the token, sends it with a new one.
fn send_with_token(
    context: &CallContext,
    request: &HttpRequest,
    client: OAuthClient,
    attempts: &mut Attempts,
) -> Result<HttpResponse, SendError> {
    let auth = &context.settings.options().auth;
    let send_with = |token: &Secret, attempts: &mut Attempts| {
        let headers = auth.add_token(context.headers(), token);
        follow_redirects(context, request, gateway(context, &headers), attempts)
    };
    let token = oauth::access_token(context, client)?;
    let response = send_with(&token, attempts)?;
    // Once a call: a server that rejects a new token rejects the next one, too.
    if !rejects_token(&response) || context.has_refreshed_token.swap(true, Ordering::Relaxed) {
        return Ok(response);
    }
    auth.tokens.reject(&token);
    let token = oauth::access_token(context, client)?;
    attempts.retry_changed("the access token was rejected");
    Ok(send_with(&token, attempts)?)
}

fn rejects_token(response: &HttpResponse) -> bool {
    match response {
        HttpResponse::Whole(reply) if !reply.is_success() => {
            ErrorResponse::read(reply.status, &reply.body).is_token_expired
        }
        _ => false,
    }
}

fn gateway<'a>(context: &'a CallContext, headers: &'a Headers) -> Destination<'a> {
    Destination { uri: &context.target.uri, headers, content: ContentType::Json }
}

/// Refuses to send credentials where others could read them.
fn refuse_insecure(context: &CallContext) -> Result<(), Error> {
    let (options, uri) = (context.settings.options(), &context.target.uri);
    if options.auth.allow_insecure || !options.connect.sends_in_clear(uri) {
        return Ok(());
    }
    let problem = format!(
        "credentials would be sent to {uri} unencrypted; use an https:// URI or set the option allow_insecure_auth to \
         true"
    );
    Err(Error::new(Status::InsecureAuth, problem))
}
