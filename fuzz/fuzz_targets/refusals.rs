//! Refusals: whatever a gateway, a model provider or a proxy says when it says no, becomes one line for a person, and
//! a secret in it is masked.
//!
//! The input: the HTTP status (a letter from `a`), how much of the body's beginning is a secret, and the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mlflow_ai_gateway::fuzz::dialect::{ErrorKind, ErrorResponse};
use mlflow_ai_gateway::fuzz::http::{mask_bytes, mask_text};

const STATUSES: [u16; 20] =
    [400, 401, 403, 404, 405, 422, 429, 500, 501, 502, 503, 504, 200, 302, 408, 409, 413, 418, 599, 600];

/// As many characters of words are kept, and a sign that some were cut.
const MOST: usize = 2000 + 1;

fuzz_target!(|input: &[u8]| {
    let [status, secret, body @ ..] = input else { return };
    let status = STATUSES[usize::from(status.wrapping_sub(b'a')) % STATUSES.len()];
    let refusal = ErrorResponse::read(status, body);
    assert_eq!(refusal, ErrorResponse::read(status, body), "read twice");
    let around = [b" \r\n\t", body, b"\n"].concat();
    assert_eq!(refusal, ErrorResponse::read(status, &around), "with space around it");
    if let Some(words) = &refusal.message {
        assert!(!words.is_empty() && !words.contains(char::is_control), "{words:?}");
        assert!(words.chars().count() <= 2 * MOST, "{} characters", words.chars().count());
    }
    assert_ne!(refusal.code.as_deref(), Some(""));
    match refusal.kind {
        ErrorKind::BadRequest | ErrorKind::GuardrailBlocked => assert!(matches!(status, 400 | 422)),
        ErrorKind::Unauthorized => assert!(status == 401 && refusal.is_token_expired),
        ErrorKind::Forbidden => assert_eq!(status, 403),
        ErrorKind::NoSuchPath => assert!(matches!(status, 404 | 405)),
        ErrorKind::NoSuchRoute => assert_eq!(status, 404),
        ErrorKind::RateLimited | ErrorKind::BudgetExceeded => assert_eq!(status, 429),
        ErrorKind::Disabled => assert!(matches!(status, 500 | 501)),
        ErrorKind::ServerError => assert!((500..600).contains(&status)),
        ErrorKind::Other => {}
    }
    let secret = body.get(..usize::from(*secret)).and_then(|secret| std::str::from_utf8(secret).ok());
    if let Some(secret) = secret.filter(|secret| is_sure_to_be_masked(secret)) {
        mask(secret, body, &refusal);
    }
});

/// Shorter ones are no secrets, and one of other characters could arise where another one was masked.
fn is_sure_to_be_masked(secret: &str) -> bool {
    secret.len() >= 6 && secret.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn mask(secret: &str, body: &[u8], refusal: &ErrorResponse) {
    let masked = mask_bytes(body.to_owned(), secret);
    assert!(!masked.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret} stands in the body");
    for text in refusal.message.iter().chain(&refusal.code) {
        let masked = mask_text(text, secret);
        assert!(!masked.contains(secret), "{secret} stands in {masked}");
        assert!(masked != *text || !text.contains(secret));
    }
}
