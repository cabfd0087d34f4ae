//! How an OAuth client gets its token: RFC 8414 (where from), and RFC 6749, 4.4 (by its id and secret).

use serde_json::Value;

use super::routes::{object, text};

/// Where a workspace of Databricks says where its tokens are given out.
pub const METADATA_PATH: &str = "/oidc/.well-known/oauth-authorization-server";

/// What is asked for there, as a form.
pub const TOKEN_QUESTION: &[u8] = b"grant_type=client_credentials&scope=all-apis";

/// How long a token of Databricks lives.
const USUAL_LIFE: u64 = 3600;

/// The URL at which tokens are given out; `None` if the answer does not say it.
pub fn token_endpoint(body: &[u8]) -> Option<String> {
    text(&object(body)?, "token_endpoint")
}

/// The token, and how many seconds it lives; `None` if the answer holds none.
pub fn token(body: &[u8]) -> Option<(String, u64)> {
    let mut answer = object(body)?;
    let life = &answer["expires_in"];
    let seconds = life.as_u64().or_else(|| life.as_str()?.parse().ok()).unwrap_or(USUAL_LIFE);
    match answer["access_token"].take() {
        Value::String(token) if !token.is_empty() => Some((token, seconds)),
        _ => None,
    }
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
