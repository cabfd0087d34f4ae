//! OAuth messages: the metadata of an authorization server (RFC 8414), and its client credentials grant (RFC 6749,
//! 4.4).

use serde_json::Value;

use super::routes::{parse_object, string_field};

/// The path of the authorization server's metadata on a Databricks workspace.
pub const METADATA_PATH: &str = "/oidc/.well-known/oauth-authorization-server";

/// The form that requests a token.
pub const TOKEN_REQUEST_BODY: &[u8] = b"grant_type=client_credentials&scope=all-apis";

/// The lifetime of a token whose response does not report one, in seconds: that of Databricks.
const DEFAULT_LIFETIME: u64 = 3600;

/// Returns the URL of the token endpoint from the metadata; `None` if it is missing.
pub fn parse_token_endpoint(body: &[u8]) -> Option<String> {
    string_field(&parse_object(body)?, "token_endpoint")
}

/// Returns the token and its lifetime in seconds; `None` if the response contains no token.
pub fn parse_token(body: &[u8]) -> Option<(String, u64)> {
    let mut response = parse_object(body)?;
    let lifetime = &response["expires_in"];
    let seconds = lifetime.as_u64().or_else(|| lifetime.as_str()?.parse().ok()).unwrap_or(DEFAULT_LIFETIME);
    match response["access_token"].take() {
        Value::String(token) if !token.is_empty() => Some((token, seconds)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_and_lifetime_are_parsed() {
        assert_eq!(parse_token(br#"{"access_token":"t","expires_in":60,"x":1}"#), Some(("t".to_owned(), 60)));
        assert_eq!(parse_token(br#"{"access_token":"t","expires_in":"60"}"#), Some(("t".to_owned(), 60)));
        assert_eq!(parse_token(br#"{"access_token":"t"}"#), Some(("t".to_owned(), DEFAULT_LIFETIME)));
        for body in ["", "{}", r#"{"access_token":""}"#, r#"{"access_token":1}"#, "<html>", r#"["t",60]"#] {
            assert_eq!(parse_token(body.as_bytes()), None, "{body}");
        }
        assert_eq!(parse_token_endpoint(br#"{"token_endpoint":"https://h/t"}"#), Some("https://h/t".to_owned()));
        assert_eq!(parse_token_endpoint(b"{}"), None);
    }
}
