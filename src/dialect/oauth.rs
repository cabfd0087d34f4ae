//! How an OAuth client gets its token: RFC 8414 (where from), and RFC 6749, 4.4 (by its id and secret).

use serde::Deserialize;

use super::answer;
use super::json::{Lenient, Text};

/// Where a workspace of Databricks says where its tokens are given out.
pub const METADATA_PATH: &str = "/oidc/.well-known/oauth-authorization-server";

/// What is asked for there, as a form.
pub const TOKEN_QUESTION: &[u8] = b"grant_type=client_credentials&scope=all-apis";

/// How long a token of Databricks lives.
const USUAL_LIFE: u64 = 3600;

/// The URL at which tokens are given out; `None` if the answer does not say it.
pub fn token_endpoint(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Metadata<'a> {
        #[serde(borrow)]
        token_endpoint: Text<'a>,
    }
    Some(answer::parse::<Metadata>(body).ok()?.token_endpoint.0.into_owned())
}

/// The token, and how many seconds it lives; `None` if the answer holds none.
pub fn token(body: &[u8]) -> Option<(String, u64)> {
    #[derive(Deserialize)]
    struct Token<'a> {
        #[serde(borrow)]
        access_token: Text<'a>,
        #[serde(borrow, default)]
        expires_in: Lenient<'a>,
    }
    let Token { access_token, expires_in } = answer::parse(body).ok()?;
    let seconds = match &expires_in {
        Lenient::Count(seconds) => Some(*seconds),
        Lenient::Text(text) => text.0.parse().ok(),
        Lenient::Other => None,
    };
    let token = access_token.0.into_owned();
    (!token.is_empty()).then(|| (token, seconds.unwrap_or(USUAL_LIFE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_tokens() {
        assert_eq!(token(br#"{"access_token":"t","expires_in":60,"x":1}"#), Some(("t".to_owned(), 60)));
        assert_eq!(token(br#"{"access_token":"t","expires_in":"60"}"#), Some(("t".to_owned(), 60)));
        assert_eq!(token(br#"{"access_token":"t"}"#), Some(("t".to_owned(), USUAL_LIFE)));
        for body in ["", "{}", r#"{"access_token":""}"#, r#"{"access_token":1}"#, "<html>", r#"["t",60]"#] {
            assert_eq!(token(body.as_bytes()), None, "{body}");
        }
        assert_eq!(token_endpoint(br#"{"token_endpoint":"https://h/t"}"#), Some("https://h/t".to_owned()));
        assert_eq!(token_endpoint(b"{}"), None);
    }
}
